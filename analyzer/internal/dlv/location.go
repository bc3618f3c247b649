package dlv

import (
	"strconv"
	"strings"

	"github.com/go-delve/delve/pkg/proc"
)

const optimizedAway = "optimized away at this point"

// part is a part of a variable that has no value.
type part struct {
	lo, hi int64 // bytes of the variable
	why    string
}

// losses are the parts of one variable that have no value. They lie in the
// made-up memory that Delve puts variables in that are not in one piece in
// real memory.
type losses struct {
	base  uint64 // address of the variable there
	parts []part
	all   string // why nothing is left, "" if something is
}

// whole reports whether nothing of the variable is left, and why.
func (l losses) whole() (string, bool) { return l.all, l.all != "" }

// at returns why the size bytes at addr have no value, "" if they have.
func (l losses) at(addr uint64, size int64) string {
	if len(l.parts) == 0 || addr < l.base {
		return ""
	}
	off := int64(addr - l.base)
	for _, p := range l.parts {
		if off < p.hi && p.lo < off+size {
			return p.why
		}
	}
	return ""
}

// lostParts finds out which parts of v were in registers that are not known,
// or nowhere at all: Delve reads both as zero. It goes by the location
// expression, of which Delve shows only the disassembly.
func lostParts(v *proc.Variable, known knownRegs) losses {
	if v.LocationExpr == nil {
		return losses{}
	}
	l := parseLocation(v.LocationExpr.String(), known)
	l.base = v.Addr
	if v.Flags&proc.VariableEscaped != 0 {
		// The location is that of a pointer to v.
		l.all = l.reason()
		l.parts = nil
		return l
	}
	if v.Flags&proc.VariableFakeAddress == 0 {
		l.parts = nil
	}
	return l
}

// place is where a piece of a variable is, as a location expression says.
type place struct {
	some bool   // anywhere at all
	lost string // why it has no value nevertheless
}

// parseLocation reads a disassembled location expression.
func parseLocation(expr string, known knownRegs) losses {
	// Operands in parentheses repeat a register's name; they are not always
	// separated from the next operation.
	words := strings.Fields(strings.NewReplacer("(", " (", ")", ") ").Replace(expr))
	var l losses
	var cur place
	var off int64
	pieces, kept := false, false
	add := func(size int64) {
		switch {
		case !cur.some:
			l.parts = append(l.parts, part{off, off + size, optimizedAway})
		case cur.lost != "":
			l.parts = append(l.parts, part{off, off + size, cur.lost})
		default:
			kept = true
		}
		off += size
		cur = place{}
	}
	for i, w := range words {
		name, isOp := strings.CutPrefix(w, "DW_OP_")
		if !isOp {
			continue
		}
		reg, usesReg := operandRegister(name, words[i+1:])
		switch {
		case name == "piece":
			pieces = true
			add(operand(words[i+1:]))
		case usesReg:
			cur.some = true
			if _, ok := known[reg]; !ok {
				cur.lost = "lost: was in register " + registerName(reg, words[i+1:])
			}
		case name != "nop":
			cur.some = true
		}
	}
	if !pieces {
		add(1 << 62)
	}
	if !kept {
		l.all = l.reason()
	}
	return l
}

// reason says why the parts have no value. A register that was lost says more
// than the compiler's silence.
func (l losses) reason() string {
	why := ""
	for _, p := range l.parts {
		if why == "" || p.why != optimizedAway {
			why = p.why
		}
	}
	return why
}

// operandRegister returns the number of the register that an operation uses.
func operandRegister(name string, rest []string) (uint64, bool) {
	for _, prefix := range []string{"breg", "reg"} {
		num, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if num == "x" {
			return uint64(operand(rest)), true
		}
		n, err := strconv.ParseUint(num, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// operand returns the number that follows an operation.
func operand(rest []string) int64 {
	for _, w := range rest {
		if strings.HasPrefix(w, "(") {
			continue
		}
		n, err := strconv.ParseInt(w, 0, 64)
		if err != nil || n < 0 || n > 1<<40 {
			return 0
		}
		return n
	}
	return 0
}

// registerName returns the name in parentheses that follows an operation,
// or else its number.
func registerName(reg uint64, rest []string) string {
	for _, w := range rest {
		if strings.HasPrefix(w, "DW_OP_") {
			break
		}
		if name, ok := strings.CutPrefix(w, "("); ok {
			return strings.ToUpper(strings.TrimSuffix(name, ")"))
		}
	}
	return strconv.FormatUint(reg, 10)
}
