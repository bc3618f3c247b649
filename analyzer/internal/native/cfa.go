package native

import (
	"errors"
	"fmt"
)

// Bounds of one unwind program, far above what compilers emit.
const (
	maxOps      = 1 << 17
	maxRemember = 32
)

// ruleKind says how the caller's value of a register is found; DWARF 5,
// section 6.4.1.
type ruleKind uint8

const (
	ruleUnset ruleKind = iota // nothing said: up to the machine's calling convention
	ruleUndefined
	ruleSame
	ruleOffset    // in memory at CFA+n
	ruleValOffset // CFA+n
	ruleRegister  // in register n; for the CFA: register reg plus n
	ruleExpr      // in memory at the value of expr
	ruleValExpr   // the value of expr
)

type rule struct {
	kind ruleKind
	reg  uint64
	n    int64
	expr []byte
}

// row is the rules in force at one pc.
type row struct {
	cfa  rule // ruleRegister or ruleValExpr
	regs [numRegs]rule
}

// DW_CFA_* of DWARF 5, section 7.24, and the vendors' additions that GCC and
// Clang emit on amd64 and arm64.
const (
	cfaAdvance = 0x40 // the upper two bits are the operation
	cfaOffset  = 0x80
	cfaRestore = 0xc0

	cfaNop             = 0x00
	cfaSetLoc          = 0x01
	cfaAdvance1        = 0x02
	cfaAdvance2        = 0x03
	cfaAdvance4        = 0x04
	cfaOffsetExt       = 0x05
	cfaRestoreExt      = 0x06
	cfaUndefined       = 0x07
	cfaSame            = 0x08
	cfaRegister        = 0x09
	cfaRemember        = 0x0a
	cfaRestoreState    = 0x0b
	cfaDefCFA          = 0x0c
	cfaDefCFARegister  = 0x0d
	cfaDefCFAOffset    = 0x0e
	cfaDefCFAExpr      = 0x0f
	cfaExpr            = 0x10
	cfaOffsetExtSF     = 0x11
	cfaDefCFASF        = 0x12
	cfaDefCFAOffsetSF  = 0x13
	cfaValOffset       = 0x14
	cfaValOffsetSF     = 0x15
	cfaValExpr         = 0x16
	cfaAArch64RAPC     = 0x2c // DW_CFA_AARCH64_negate_ra_state_with_pc
	cfaAArch64RA       = 0x2d // DW_CFA_AARCH64_negate_ra_state
	cfaArgsSize        = 0x2e // DW_CFA_GNU_args_size
	cfaNegOffsetExtGNU = 0x2f
)

// program runs unwind instructions.
type program struct {
	sec     *section
	cie     *cie
	row     row
	initial row // what the CIE says, for DW_CFA_restore
	stack   []row
	ops     int
}

// rowAt returns the rules in force at pc, which lies in d.
func (d *fde) rowAt(pc uint64) (*row, error) {
	p := &program{sec: d.sec, cie: d.cie}
	if err := p.run(d.cie.program, d.start, pc); err != nil {
		return nil, err
	}
	p.initial = p.row
	p.stack = nil
	if err := p.run(d.program, d.start, pc); err != nil {
		return nil, err
	}
	return &p.row, nil
}

// run executes the instructions in s, which describe the code from loc on,
// until they speak of what comes after pc.
func (p *program) run(s span, loc, pc uint64) error {
	c := &cursor{data: p.sec.data[:s.end], pos: s.off}
	for c.more() {
		if p.ops++; p.ops > maxOps {
			return fmt.Errorf("unwind program of more than %d instructions", maxOps)
		}
		op := c.u8()
		next, moved := p.advance(c, op, loc)
		if moved {
			if next > pc {
				return nil
			}
			loc = next
			continue
		}
		if err := p.exec(c, op); err != nil {
			return err
		}
	}
	if c.bad {
		return errTruncated
	}
	return nil
}

// advance executes the instructions that move on to another location.
func (p *program) advance(c *cursor, op byte, loc uint64) (next uint64, moved bool) {
	switch {
	case op&0xc0 == cfaAdvance:
		return loc + uint64(op&0x3f)*p.cie.codeAlign, true
	case op == cfaAdvance1:
		return loc + uint64(c.u8())*p.cie.codeAlign, !c.bad
	case op == cfaAdvance2:
		return loc + uint64(c.u16())*p.cie.codeAlign, !c.bad
	case op == cfaAdvance4:
		return loc + uint64(c.u32())*p.cie.codeAlign, !c.bad
	case op == cfaSetLoc:
		next, ok := p.sec.pointer(c, p.cie.enc)
		return next, ok
	}
	return 0, false
}

// exec executes an instruction that changes the rules.
func (p *program) exec(c *cursor, op byte) error {
	align := p.cie.dataAlign
	switch op & 0xc0 {
	case cfaOffset:
		p.set(uint64(op&0x3f), rule{kind: ruleOffset, n: int64(c.uleb()) * align})
		return nil
	case cfaRestore:
		p.restore(uint64(op & 0x3f))
		return nil
	}
	cfa := &p.row.cfa
	switch op {
	case cfaNop, cfaAArch64RA, cfaAArch64RAPC:
		// Whether a return address is signed need not be known: the code is
		// stripped from every one.
	case cfaArgsSize:
		c.uleb()
	case cfaOffsetExt:
		p.set(c.uleb(), rule{kind: ruleOffset, n: int64(c.uleb()) * align})
	case cfaOffsetExtSF:
		p.set(c.uleb(), rule{kind: ruleOffset, n: c.sleb() * align})
	case cfaNegOffsetExtGNU:
		p.set(c.uleb(), rule{kind: ruleOffset, n: -int64(c.uleb()) * align})
	case cfaValOffset:
		p.set(c.uleb(), rule{kind: ruleValOffset, n: int64(c.uleb()) * align})
	case cfaValOffsetSF:
		p.set(c.uleb(), rule{kind: ruleValOffset, n: c.sleb() * align})
	case cfaRestoreExt:
		p.restore(c.uleb())
	case cfaUndefined:
		p.set(c.uleb(), rule{kind: ruleUndefined})
	case cfaSame:
		p.set(c.uleb(), rule{kind: ruleSame})
	case cfaRegister:
		p.set(c.uleb(), rule{kind: ruleRegister, reg: c.uleb()})
	case cfaExpr:
		p.set(c.uleb(), rule{kind: ruleExpr, expr: c.bytes(c.uleb())})
	case cfaValExpr:
		p.set(c.uleb(), rule{kind: ruleValExpr, expr: c.bytes(c.uleb())})
	case cfaDefCFA:
		*cfa = rule{kind: ruleRegister, reg: c.uleb(), n: int64(c.uleb())}
	case cfaDefCFASF:
		*cfa = rule{kind: ruleRegister, reg: c.uleb(), n: c.sleb() * align}
	case cfaDefCFARegister:
		*cfa = rule{kind: ruleRegister, reg: c.uleb(), n: cfa.n}
	case cfaDefCFAOffset:
		*cfa = rule{kind: ruleRegister, reg: cfa.reg, n: int64(c.uleb())}
	case cfaDefCFAOffsetSF:
		*cfa = rule{kind: ruleRegister, reg: cfa.reg, n: c.sleb() * align}
	case cfaDefCFAExpr:
		*cfa = rule{kind: ruleValExpr, expr: c.bytes(c.uleb())}
	case cfaRemember:
		if len(p.stack) >= maxRemember {
			return fmt.Errorf("unwind program remembers more than %d states", maxRemember)
		}
		p.stack = append(p.stack, p.row)
	case cfaRestoreState:
		// The CFA is restored too, which DWARF leaves open and GCC relies on.
		if len(p.stack) == 0 {
			return errors.New("unwind program restores a state that it did not save")
		}
		p.row = p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
	default:
		if c.bad {
			return errTruncated
		}
		return fmt.Errorf("unknown unwind instruction %#x", op)
	}
	return nil
}

// set replaces a register's rule. Registers that are not tracked are ignored.
func (p *program) set(reg uint64, r rule) {
	if reg < numRegs {
		p.row.regs[reg] = r
	}
}

func (p *program) restore(reg uint64) {
	if reg < numRegs {
		p.row.regs[reg] = p.initial.regs[reg]
	}
}

var errTruncated = errors.New("unwind program ends within an instruction")
