package native

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// Bounds of one expression. A branch backwards makes loops possible.
const (
	maxExprOps   = 1 << 12
	maxExprStack = 64
)

// DW_OP_* of DWARF 5, section 7.7.1, as far as they make sense in unwind
// tables: they deal with registers, memory and numbers.
const (
	opAddr       = 0x03
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst1s    = 0x09
	opConst2u    = 0x0a
	opConst2s    = 0x0b
	opConst4u    = 0x0c
	opConst4s    = 0x0d
	opConst8u    = 0x0e
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opDup        = 0x12
	opDrop       = 0x13
	opOver       = 0x14
	opPick       = 0x15
	opSwap       = 0x16
	opRot        = 0x17
	opAbs        = 0x19
	opAnd        = 0x1a
	opDiv        = 0x1b
	opMinus      = 0x1c
	opMod        = 0x1d
	opMul        = 0x1e
	opNeg        = 0x1f
	opNot        = 0x20
	opOr         = 0x21
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opShra       = 0x26
	opXor        = 0x27
	opBra        = 0x28
	opEq         = 0x29
	opGe         = 0x2a
	opGt         = 0x2b
	opLe         = 0x2c
	opLt         = 0x2d
	opNe         = 0x2e
	opSkip       = 0x2f
	opLit0       = 0x30
	opLit31      = 0x4f
	opBreg0      = 0x70
	opBreg31     = 0x8f
	opBregx      = 0x92
	opDerefSize  = 0x94
	opNop        = 0x96
)

var (
	errExpr  = errors.New("malformed expression")
	errStack = errors.New("expression needs a value that is not on its stack")
)

// machine evaluates DWARF expressions.
type machine struct {
	regs  *regSet
	mem   goruntime.Memory
	bias  uint64
	stack []uint64
	err   error
}

// eval returns the value of expr; initial is on the stack when it begins.
func eval(expr []byte, regs *regSet, mem goruntime.Memory, bias uint64, initial ...uint64) (uint64, error) {
	m := &machine{regs: regs, mem: mem, bias: bias, stack: initial}
	c := &cursor{data: expr}
	for ops := 0; c.more() && m.err == nil; ops++ {
		if ops >= maxExprOps {
			return 0, fmt.Errorf("expression runs for more than %d operations", maxExprOps)
		}
		op := c.u8()
		if !m.constant(c, op) && !m.control(c, op) && !m.stackOp(c, op) && !m.arithmetic(op) {
			return 0, fmt.Errorf("unknown operation %#x in expression", op)
		}
		if len(m.stack) > maxExprStack {
			return 0, fmt.Errorf("expression's stack exceeds %d values", maxExprStack)
		}
	}
	v := m.pop()
	if c.bad && m.err == nil {
		m.err = errExpr
	}
	return v, m.err
}

func (m *machine) push(v uint64) { m.stack = append(m.stack, v) }

func (m *machine) pop() uint64 {
	v := m.peek(0)
	if len(m.stack) > 0 {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v
}

// peek returns the value n below the top of the stack.
func (m *machine) peek(n int) uint64 {
	if n >= len(m.stack) {
		m.fail(errStack)
		return 0
	}
	return m.stack[len(m.stack)-1-n]
}

func (m *machine) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *machine) reg(n uint64) uint64 {
	v, ok := m.regs.get(n)
	if !ok {
		m.fail(fmt.Errorf("register %d is not known", n))
	}
	return v
}

func (m *machine) load(addr uint64, size int) uint64 {
	var b [8]byte
	if size < 1 || size > len(b) {
		m.fail(errExpr)
		return 0
	}
	if m.err != nil {
		return 0
	}
	if _, err := m.mem.ReadMemory(b[:size], addr); err != nil {
		m.fail(err)
	}
	return binary.LittleEndian.Uint64(b[:])
}

// constant executes operations that push a value from the expression itself
// or a register.
func (m *machine) constant(c *cursor, op byte) bool {
	switch {
	case op >= opLit0 && op <= opLit31:
		m.push(uint64(op - opLit0))
	case op >= opBreg0 && op <= opBreg31:
		m.push(m.reg(uint64(op-opBreg0)) + uint64(c.sleb()))
	case op == opBregx:
		m.push(m.reg(c.uleb()) + uint64(c.sleb()))
	case op == opAddr:
		m.push(c.u64() + m.bias)
	case op == opConst1u:
		m.push(uint64(c.u8()))
	case op == opConst1s:
		m.push(uint64(int8(c.u8())))
	case op == opConst2u:
		m.push(uint64(c.u16()))
	case op == opConst2s:
		m.push(uint64(int16(c.u16())))
	case op == opConst4u:
		m.push(uint64(c.u32()))
	case op == opConst4s:
		m.push(uint64(int32(c.u32())))
	case op == opConst8u, op == opConst8s:
		m.push(c.u64())
	case op == opConstu:
		m.push(c.uleb())
	case op == opConsts:
		m.push(uint64(c.sleb()))
	default:
		return false
	}
	return true
}

// control executes branches.
func (m *machine) control(c *cursor, op byte) bool {
	switch op {
	case opNop:
		return true
	case opSkip, opBra:
	default:
		return false
	}
	to := int(int16(c.u16())) + c.pos
	if op == opBra && m.pop() == 0 {
		return true
	}
	if c.bad || to < 0 || to > len(c.data) {
		m.fail(errExpr)
		return true
	}
	c.pos = to
	return true
}

// stackOp executes operations that move values or read memory.
func (m *machine) stackOp(c *cursor, op byte) bool {
	switch op {
	case opDeref:
		m.push(m.load(m.pop(), 8))
	case opDerefSize:
		size := int(c.u8())
		m.push(m.load(m.pop(), size))
	case opDup:
		m.push(m.peek(0))
	case opDrop:
		m.pop()
	case opOver:
		m.push(m.peek(1))
	case opPick:
		m.push(m.peek(int(c.u8())))
	case opSwap:
		a, b := m.pop(), m.pop()
		m.push(a)
		m.push(b)
	case opRot: // the top goes below the next two
		a, b, d := m.pop(), m.pop(), m.pop()
		m.push(a)
		m.push(d)
		m.push(b)
	case opPlusUconst:
		m.push(m.pop() + c.uleb())
	default:
		return false
	}
	return true
}

// arithmetic executes operations on one or two values; DWARF's comparisons
// and division are signed.
func (m *machine) arithmetic(op byte) bool {
	if op < opAbs || op > opNe {
		return false
	}
	b := m.pop() // the former top
	switch op {
	case opAbs:
		if int64(b) < 0 {
			b = -b
		}
		m.push(b)
		return true
	case opNeg:
		m.push(-b)
		return true
	case opNot:
		m.push(^b)
		return true
	}
	a := m.pop()
	if (op == opDiv || op == opMod) && b == 0 {
		m.fail(errExpr)
		return true
	}
	v, ok := binary2(op, a, b)
	m.push(v)
	return ok
}

func binary2(op byte, a, b uint64) (uint64, bool) {
	truth := func(t bool) (uint64, bool) {
		if t {
			return 1, true
		}
		return 0, true
	}
	x, y := int64(a), int64(b)
	switch op {
	case opAnd:
		return a & b, true
	case opDiv:
		return uint64(x / y), true
	case opMinus:
		return a - b, true
	case opMod:
		return a % b, true
	case opMul:
		return a * b, true
	case opOr:
		return a | b, true
	case opPlus:
		return a + b, true
	case opShl:
		return a << b, true
	case opShr:
		return a >> b, true
	case opShra:
		return uint64(x >> b), true
	case opXor:
		return a ^ b, true
	case opEq:
		return truth(x == y)
	case opGe:
		return truth(x >= y)
	case opGt:
		return truth(x > y)
	case opLe:
		return truth(x <= y)
	case opLt:
		return truth(x < y)
	case opNe:
		return truth(x != y)
	}
	return 0, false
}
