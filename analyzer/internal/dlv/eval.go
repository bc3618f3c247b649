package dlv

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-delve/delve/pkg/proc"
	"github.com/go-delve/delve/pkg/proc/core"

	"github.com/corekit/corekit/analyzer/report"
)

// maxVariables bounds the variables of one frame. Generated code can have
// thousands.
const maxVariables = 200

// evaluateInProcess opens the core and calls yield with the values of each
// frame in turn. Its errors are [*OpenError], [*panicError] and yield's.
func evaluateInProcess(req Request, yield func(Values) error) (err error) {
	defer recovered(&err)
	grp, err := core.OpenCore(req.Core, req.Exe, nil)
	if err != nil {
		return &OpenError{Reason: err.Error()}
	}
	// Not closed: the process ends now, and Detach is made for live targets.
	tgt := grp.Selected
	if tgt == nil {
		return &OpenError{Reason: "no process in it"}
	}
	coreFile, err := os.Open(req.Core)
	if err != nil {
		return &OpenError{Reason: err.Error()}
	}
	defer coreFile.Close()
	mem, err := newCoreMemory(coreFile, tgt.Memory())
	if err != nil {
		return &OpenError{Reason: err.Error()}
	}
	e := evaluator{tgt: tgt, mem: mem, lim: req.Limits.withDefaults()}
	for _, f := range req.Frames {
		v, err := e.values(f)
		if err != nil {
			v = Values{Err: clip(err.Error(), 300)}
		}
		if err := yield(v); err != nil {
			return err
		}
	}
	return nil
}

// evaluator reads variables from one core.
type evaluator struct {
	tgt *proc.Target
	mem *coreMemory
	lim Limits
	n   int // frames so far
}

// values reads the variables of f. A panic of Delve's spoils only this
// frame.
func (e *evaluator) values(f Frame) (v Values, err error) {
	defer recovered(&err)
	scope, regs, err := e.scope(f)
	if err != nil {
		return v, err
	}
	cfg := e.lim.loadConfig()
	args, err := scope.FunctionArguments(cfg)
	if err != nil {
		return v, err
	}
	locals, err := scope.LocalVariables(cfg)
	if err != nil {
		return v, err
	}
	locals = moved(args, locals)
	for _, a := range args {
		switch {
		case hidden(a.Name):
		case a.Flags&proc.VariableReturnArgument == 0:
			v.Args = append(v.Args, variable(a, regs, e.lim))
		default:
			v.Locals = append(v.Locals, variable(a, regs, e.lim))
		}
	}
	for _, l := range locals {
		if !hidden(l.Name) {
			v.Locals = append(v.Locals, variable(l, regs, e.lim))
		}
	}
	v.Args = v.Args[:min(len(v.Args), maxVariables)]
	v.Locals = v.Locals[:min(len(v.Locals), maxVariables)]
	return v, nil
}

// moved puts the arguments that escaped in place: debug information describes
// each of them twice, as a parameter with the value that was passed, if that
// is still there, and as a variable on the heap. It returns the other locals.
func moved(args, locals []*proc.Variable) []*proc.Variable {
	var rest []*proc.Variable
	for _, l := range locals {
		i := -1
		if l.Flags&proc.VariableEscaped != 0 {
			i = slices.IndexFunc(args, func(a *proc.Variable) bool {
				return a.Name == l.Name && a.DeclLine == l.DeclLine
			})
		}
		if i < 0 {
			rest = append(rest, l)
			continue
		}
		l.Flags |= args[i].Flags & proc.VariableReturnArgument
		args[i] = l
	}
	return rest
}

// hidden reports whether the compiler made the variable up, as it does for
// results without a name.
func hidden(name string) bool {
	return name == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") || strings.HasPrefix(name, "#")
}

// variable renders one variable that Delve has loaded.
func variable(v *proc.Variable, regs knownRegs, lim Limits) (out report.Variable) {
	out = report.Variable{Name: clip(v.Name, 100), Type: clip(v.TypeString(), 200)}
	defer func() {
		if err := recover(); err != nil {
			out.Value, out.Unreadable = "", clip(fmt.Sprintf("delve panicked: %v", err), 200)
		}
	}()
	if v.Flags&proc.VariableShadowed != 0 {
		out.Name = "(" + out.Name + ")" // as Delve marks it
	}
	lost := lostParts(v, regs)
	if why, all := lost.whole(); all {
		out.Unreadable = why
		return out
	}
	if v.Unreadable != nil && len(lost.parts) == 0 {
		out.Unreadable = friendly(v.Unreadable)
		return out
	}
	out.Value = format(v, lost, lim)
	return out
}

// friendly says in fewer words what Delve says.
func friendly(err error) string {
	s := err.Error()
	switch {
	case strings.HasPrefix(s, "could not find loclist entry"),
		strings.HasPrefix(s, "no location attribute"),
		s == "empty OP stack":
		return optimizedAway
	case strings.Contains(s, errNotInCore.Error()):
		return errNotInCore.Error()
	}
	return clip(s, 200)
}

// withDefaults fills in the zero fields.
func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		p   *int
		def int
	}{{&l.MaxString, 128}, {&l.MaxArray, 16}, {&l.MaxFields, 32}, {&l.MaxDepth, 2}, {&l.MaxText, 400}} {
		if *f.p <= 0 {
			*f.p = f.def
		}
	}
	return l
}

func (l Limits) loadConfig() proc.LoadConfig {
	return proc.LoadConfig{
		FollowPointers:     true,
		MaxVariableRecurse: l.MaxDepth,
		MaxStringLen:       l.MaxString,
		MaxArrayValues:     l.MaxArray,
		MaxStructFields:    l.MaxFields,
	}
}

// scope makes the scope in which Delve looks for the variables of f.
func (e *evaluator) scope(f Frame) (*proc.EvalScope, knownRegs, error) {
	if f.PC == 0 {
		return nil, nil, errors.New("frame without a PC")
	}
	// Delve looks up everything, lexical blocks, inlined calls and location
	// lists, at the registers' PC. Within a call that is not the return
	// address: what is true there need not yet be true now.
	if f.Call {
		f.PC--
	}
	known := f.registers(e.tgt.BinInfo().Arch)
	frames, err := e.symbolize(known)
	if err != nil {
		return nil, nil, err
	}
	i := pick(frames, f)
	if i < 0 {
		return nil, nil, fmt.Errorf("debug information knows no %s at %#x", clip(f.Function, 100), f.PC)
	}
	scope := proc.FrameToScope(e.tgt, e.mem, nil, 0, frames[i])
	// FrameToScope reads the whole frame at once and fails for all variables
	// if a page of it is missing.
	scope.Mem = e.mem
	fill(&scope.Regs, known)
	if f.CFA != 0 {
		if scope.Regs.FrameBase == scope.Regs.CFA {
			scope.Regs.FrameBase = int64(f.CFA) // DW_OP_call_frame_cfa: any Go function
		}
		scope.Regs.CFA = int64(f.CFA)
	}
	return scope, known, nil
}

// pick returns the index of the frame among those at one PC, innermost first,
// that f means, -1 if there is none.
func pick(frames []proc.Stackframe, f Frame) int {
	best := -1
	for i, fr := range frames {
		if fr.Call.Fn == nil || plainName(fr.Call.Fn.Name) != plainName(f.Function) {
			continue
		}
		if best < 0 || fr.Call.Line == f.Line && frames[best].Call.Line != f.Line {
			best = i // a function can be inlined into itself
		}
	}
	return best
}

// plainName removes type arguments, which the runtime prints as "[...]" and
// DWARF has in full.
func plainName(name string) string {
	var b strings.Builder
	depth := 0
	for _, r := range name {
		switch {
		case r == '[':
			depth++
		case r == ']' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}
