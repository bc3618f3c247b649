package native

import (
	"errors"
	"fmt"
)

// trampolineAt reports whether the code at pc is a signal trampoline.
func (u *Unwinder) trampolineAt(pc uint64) bool {
	var at [9]byte // the longest trampoline
	if !u.code(at[:], pc) {
		return false
	}
	var before [8]byte
	if pc < 8 || !u.code(before[:], pc-8) {
		before = [8]byte{}
	}
	return u.arch.inTrampoline(before[:], at[:])
}

// code reads instructions, from the file if the core has none.
func (u *Unwinder) code(p []byte, pc uint64) bool {
	if _, err := u.mem.ReadMemory(p, pc); err == nil {
		return true
	}
	img, m, ok := u.image(pc)
	return ok && img.readAt(p, pc-m.Bias) == nil
}

// stepSignal reads the registers that the kernel saved when it called the
// handler.
func (u *Unwinder) stepSignal(in *regSet) (*regSet, error) {
	a, sp := u.arch, in.val[u.arch.sp]
	out := new(regSet)
	for reg := range a.maxReg() + 1 {
		v, err := word(u.mem, sp+a.uregs(reg))
		if err != nil {
			return nil, fmt.Errorf("signal frame: %w", err)
		}
		out.set(reg, v)
	}
	return u.arrive(out, out.val[a.pc])
}

// stepWithoutTable handles a pc that no table describes.
func (u *Unwinder) stepWithoutTable(in *regSet, call bool) (*regSet, error) {
	a := u.arch
	pc, sp, fp := in.val[a.pc], in.val[a.sp], in.val[a.fp]
	_, inModule := u.mods.ModuleAt(pc)

	// A pc outside all code got there by a call through a bad pointer, which
	// is what is being executed: nothing but the call has happened.
	if !call && !inModule && !u.readable(pc) {
		if out, err := u.stepBadCall(in); err == nil {
			return out, nil
		}
	}
	if _, ok := in.get(uint64(a.fp)); !ok {
		return nil, errors.New("no unwind table, and the frame pointer is not known")
	}
	if fp < sp || fp%8 != 0 {
		return nil, fmt.Errorf("no unwind table, and %#x is no frame pointer", fp)
	}
	callerFP, err := word(u.mem, fp)
	if err != nil {
		return nil, fmt.Errorf("no unwind table; frame pointer: %w", err)
	}
	ret, err := word(u.mem, fp+8)
	if err != nil {
		return nil, fmt.Errorf("no unwind table; frame pointer: %w", err)
	}
	ret &= a.pcMask
	if callerFP == 0 && ret == 0 {
		return nil, ErrOutermost
	}
	// Code generated at run time may call its like; from a file one returns
	// to a file.
	if _, ok := u.mods.ModuleAt(ret - 1); !ok && (inModule || !u.readable(ret-1)) {
		return nil, fmt.Errorf("no unwind table, and the frame pointer leads to %#x, which is no code", ret)
	}
	out := new(regSet)
	out.set(a.fp, callerFP)
	// On arm64 the record may lie below the function's locals; this is the
	// least that the caller's stack pointer can be.
	out.set(a.sp, fp+16)
	if a.lr >= 0 {
		out.set(a.lr, ret)
	}
	return u.arrive(out, ret)
}

// stepBadCall undoes a call.
func (u *Unwinder) stepBadCall(in *regSet) (*regSet, error) {
	a, out := u.arch, *in
	ret, ok := uint64(0), false
	if a.lr >= 0 {
		if ret, ok = in.get(uint64(a.lr)); !ok {
			return nil, errNotSaved
		}
	} else {
		var err error
		if ret, err = word(u.mem, in.val[a.sp]); err != nil {
			return nil, err
		}
		out.set(a.sp, in.val[a.sp]+8)
	}
	ret &= a.pcMask
	if _, ok := u.mods.ModuleAt(ret - 1); !ok {
		return nil, fmt.Errorf("%#x is no return address", ret)
	}
	return u.arrive(&out, ret)
}

func (u *Unwinder) readable(addr uint64) bool {
	var b [1]byte
	_, err := u.mem.ReadMemory(b[:], addr)
	return err == nil
}
