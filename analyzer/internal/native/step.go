package native

import (
	"errors"
	"fmt"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// Step returns the registers of the caller of the frame with regs. call tells
// whether regs.PC is a return address or the very instruction that was
// executing. The result's PC is a return address, unless [Unwinder.SignalFrame]
// is true for the frame with regs: what a signal interrupted did not call.
//
// The error is [ErrOutermost] for a frame without a caller. Without unwind
// tables for regs.PC the chain of frame pointers is followed, as far as it
// leads upwards and to code.
func (u *Unwinder) Step(regs goruntime.Regs, call bool) (goruntime.Regs, error) {
	if u.arch == nil {
		return goruntime.Regs{}, errors.New("native: unwinding: no support for this machine")
	}
	in := u.arch.load(regs)
	out, err := u.step(in, call)
	if err != nil {
		return goruntime.Regs{}, fmt.Errorf("native: unwinding at %#x: %w", regs.PC, err)
	}
	return u.arch.store(out), nil
}

// SignalFrame reports whether pc is in the code that a signal handler returns
// to. Its caller, in the sense of [Unwinder.Step], was interrupted by the
// signal, so that the PC there is exact: call is false in the next step.
func (u *Unwinder) SignalFrame(pc uint64, call bool) bool {
	if u.arch == nil {
		return false
	}
	if u.trampolineAt(pc) {
		return true
	}
	d, _, ok := u.frame(pc, call)
	return ok && d.cie.signal
}

// step does the work of Step.
func (u *Unwinder) step(in *regSet, call bool) (*regSet, error) {
	a := u.arch
	pc, sp := in.val[a.pc], in.val[a.sp]
	// Before the tables: Go's cover its own trampoline like any function, and
	// on arm64 those of older vDSOs restore the interrupted frame's link
	// register instead of its pc.
	if u.trampolineAt(pc) {
		return u.stepSignal(in)
	}
	d, m, ok := u.frame(pc, call)
	if !ok {
		return u.stepWithoutTable(in, call)
	}
	out, err := u.stepTable(in, &d, m.Bias, lookupPC(pc, call)-m.Bias)
	if err != nil {
		return nil, err
	}
	if d.cie.signal {
		return out, nil // the handler may have run on another stack
	}
	// A function that has not touched the stack yet returns to its link
	// register; everything else must have used some.
	newSP := out.val[a.sp]
	if newSP < sp || newSP == sp && (a.lr < 0 || call) {
		return nil, fmt.Errorf("stack pointer does not advance: %#x after %#x", newSP, sp)
	}
	return out, nil
}

// frame finds the unwind entry for a pc.
func (u *Unwinder) frame(pc uint64, call bool) (fde, Module, bool) {
	at := lookupPC(pc, call)
	img, m, ok := u.image(at)
	if !ok {
		return fde{}, m, false
	}
	d, ok := img.find(at - m.Bias)
	return d, m, ok
}

// stepTable applies the rules that d has for the link-time address at.
func (u *Unwinder) stepTable(in *regSet, d *fde, bias, at uint64) (*regSet, error) {
	rows, err := d.rowAt(at)
	if err != nil {
		return nil, err
	}
	var cfa uint64
	switch rows.cfa.kind {
	case ruleRegister:
		base, ok := in.get(rows.cfa.reg)
		if !ok {
			return nil, fmt.Errorf("frame address depends on register %d, which is not known", rows.cfa.reg)
		}
		cfa = base + uint64(rows.cfa.n)
	case ruleValExpr:
		if cfa, err = eval(rows.cfa.expr, in, u.mem, bias); err != nil {
			return nil, fmt.Errorf("frame address: %w", err)
		}
	default:
		return nil, errors.New("no rule for the frame address")
	}

	a, ra := u.arch, d.cie.ra
	if ra >= numRegs {
		return nil, fmt.Errorf("return address in register %d", ra)
	}
	out := new(regSet)
	var raErr error
	for i := range rows.regs {
		r := &rows.regs[i]
		v, ok, err := u.apply(r, in, cfa, bias, i)
		if ok {
			out.set(i, v)
		}
		if uint64(i) == ra {
			raErr = err
			if r.kind == ruleUndefined {
				return nil, ErrOutermost
			}
		}
	}
	if rows.regs[a.sp].kind == ruleUnset {
		out.set(a.sp, cfa)
	}
	if _, ok := out.get(uint64(a.sp)); !ok {
		return nil, errors.New("caller's stack pointer is lost")
	}
	pc, ok := out.get(ra)
	if !ok {
		return nil, fmt.Errorf("return address is lost: %w", raErr)
	}
	return u.arrive(out, pc)
}

// errNotSaved says that nothing is known about a register of the caller.
var errNotSaved = errors.New("not saved")

// apply returns the caller's value of register reg under rule r.
func (u *Unwinder) apply(r *rule, in *regSet, cfa, bias uint64, reg int) (v uint64, ok bool, err error) {
	switch r.kind {
	case ruleUnset:
		// The link register counts as preserved: a function that says nothing
		// of it has not changed it.
		if u.arch.calleeSaved&(1<<reg) == 0 && reg != u.arch.lr {
			return 0, false, errNotSaved
		}
		v, ok = in.get(uint64(reg))
		return v, ok, errNotSaved
	case ruleSame:
		v, ok = in.get(uint64(reg))
		return v, ok, errNotSaved
	case ruleRegister:
		v, ok = in.get(r.reg)
		return v, ok, errNotSaved
	case ruleValOffset:
		return cfa + uint64(r.n), true, nil
	case ruleOffset:
		v, err = word(u.mem, cfa+uint64(r.n))
	case ruleValExpr:
		v, err = eval(r.expr, in, u.mem, bias, cfa)
	case ruleExpr:
		if v, err = eval(r.expr, in, u.mem, bias, cfa); err == nil {
			v, err = word(u.mem, v)
		}
	default:
		return 0, false, errNotSaved
	}
	return v, err == nil, err
}

// arrive completes the caller's registers with its pc.
func (u *Unwinder) arrive(out *regSet, pc uint64) (*regSet, error) {
	pc &= u.arch.pcMask
	if pc == 0 {
		return nil, ErrOutermost // how threads begin that say it in no table
	}
	out.set(u.arch.pc, pc)
	if u.arch.lr >= 0 {
		if lr, ok := out.get(uint64(u.arch.lr)); ok {
			out.set(u.arch.lr, lr&u.arch.pcMask)
		}
	}
	return out, nil
}
