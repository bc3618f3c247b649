package dlv

import (
	"errors"
	"maps"
	"slices"

	"github.com/go-delve/delve/pkg/dwarf/op"
	"github.com/go-delve/delve/pkg/proc"
)

// knownRegs are the registers with a known value by DWARF number.
type knownRegs map[uint64]uint64

func (f Frame) registers(arch *proc.Arch) knownRegs {
	known := knownRegs{}
	for n, v := range f.G {
		if n >= 0 && n < maxRegister {
			known[uint64(n)] = v
		}
	}
	if f.FP != 0 {
		known[arch.BPRegNum] = f.FP
	}
	known[arch.SPRegNum] = f.SP
	known[arch.PCRegNum] = f.PC
	return known
}

// maxRegister is above the highest DWARF register number of amd64 and arm64:
// 125 for AVX-512's k7 (System V ABI, AMD64 supplement, figure 3.36) and 127
// for SVE's z31 (DWARF for the Arm 64-bit architecture).
const maxRegister = 128

// fill sets regs to the known registers and all others to zero. Delve must
// find every register, because it gives up a whole variable if one part of it
// was in a register that it does not find, and takes a small integer in such a
// register for zero. What comes of the zeros is told apart by [lostParts].
func fill(regs *op.DwarfRegisters, known knownRegs) {
	all := make([]*op.DwarfRegister, maxRegister)
	for i := range all {
		all[i] = op.DwarfRegisterFromBytes(make([]byte, 64))
		if v, ok := known[uint64(i)]; ok {
			all[i] = op.DwarfRegisterFromUint64(v)
		}
	}
	r := op.NewDwarfRegisters(regs.StaticBase, all, regs.ByteOrder,
		regs.PCRegNum, regs.SPRegNum, regs.BPRegNum, regs.LRRegNum)
	r.CFA, r.FrameBase, r.ObjBase = regs.CFA, regs.FrameBase, regs.ObjBase
	*regs = *r
}

// symbolize returns the frames at the PC among the registers: the inlined
// calls, innermost first, and the function that contains them. Only Delve's
// stack iterator makes frames of inlined calls that have variables, so it is
// given a thread that has just these registers, and asked for its top.
func (e *evaluator) symbolize(known knownRegs) ([]proc.Stackframe, error) {
	cur := e.tgt.CurrentThread()
	if cur == nil {
		return nil, errors.New("no thread in the core")
	}
	e.n++
	th := &frameThread{
		Thread: cur,
		regs:   frameRegs{e.tgt.BinInfo().Arch, known},
		mem:    e.mem,
		id:     -e.n, // stacks are cached by thread
	}
	frames, err := proc.ThreadStacktrace(e.tgt, th, 0)
	if err != nil {
		return nil, err
	}
	if len(frames) == 0 {
		return nil, errors.New("no frame")
	}
	return frames, nil
}

// frameThread is a thread of the core with other registers and on no
// goroutine.
type frameThread struct {
	proc.Thread
	regs   frameRegs
	mem    *coreMemory
	id     int
	common proc.CommonThread
}

func (t *frameThread) ThreadID() int                        { return t.id }
func (t *frameThread) Registers() (proc.Registers, error)   { return t.regs, nil }
func (t *frameThread) ProcessMemory() proc.MemoryReadWriter { return t.mem }
func (t *frameThread) Common() *proc.CommonThread           { return &t.common }

// frameRegs implements [proc.Registers].
type frameRegs struct {
	arch  *proc.Arch
	known knownRegs
}

func (r frameRegs) PC() uint64 { return r.known[r.arch.PCRegNum] }
func (r frameRegs) SP() uint64 { return r.known[r.arch.SPRegNum] }
func (r frameRegs) BP() uint64 { return r.known[r.arch.BPRegNum] }
func (r frameRegs) LR() uint64 { return r.known[r.arch.LRRegNum] }

// TLS and GAddr lead to no goroutine.
func (r frameRegs) TLS() uint64           { return 0 }
func (r frameRegs) GAddr() (uint64, bool) { return 0, true }

func (r frameRegs) Slice(bool) ([]proc.Register, error) {
	var regs []proc.Register
	for _, n := range slices.Sorted(maps.Keys(r.known)) {
		regs = proc.AppendUint64Register(regs, r.arch.RegnumToString(n), r.known[n])
	}
	return regs, nil
}

func (r frameRegs) Copy() (proc.Registers, error) { return r, nil }
