package dlv

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/report"
)

// byName lists variables as name to "type = value".
func byName(vars []report.Variable) map[string]string {
	m := map[string]string{}
	for _, v := range vars {
		if (v.Value == "") == (v.Unreadable == "") {
			m[v.Name] = "BAD: exactly one of value and unreadable must be set"
			continue
		}
		s := v.Type + " = " + v.Value
		if v.Unreadable != "" {
			s = v.Type + " ! " + v.Unreadable
		}
		m[v.Name] = s
	}
	return m
}

// checkVars compares what is there with what is wanted; a wanted text that
// ends with "*" is a prefix.
func checkVars(t *testing.T, what string, got []report.Variable, want map[string]string) {
	t.Helper()
	m := byName(got)
	for name, w := range want {
		g, ok := m[name]
		if prefix, isPrefix := strings.CutSuffix(w, "*"); g == w || isPrefix && strings.HasPrefix(g, prefix) {
			continue
		}
		if !ok {
			t.Errorf("%s: no %s", what, name)
			continue
		}
		t.Errorf("%s: %s:\n got %s\nwant %s", what, name, g, w)
	}
	if t.Failed() {
		for _, v := range got {
			t.Log(what, v.Name, m[v.Name])
		}
	}
}

func evaluate(t testing.TB, corePath, exe string, frames ...Frame) []Values {
	t.Helper()
	vals, err := Evaluate(t.Context(), Request{Core: corePath, Exe: exe, Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vals {
		if v.Err != "" {
			t.Fatalf("%s: %s", frames[i].Function, v.Err)
		}
	}
	return vals
}

func TestValuesUnoptimized(t *testing.T) {
	exe := build(t, "values.go", "-gcflags=all=-N -l")
	corePath := crash(t, exe)
	frames := delveFrames(t, corePath, exe, "main.show")
	vals := evaluate(t, corePath, exe, frameOf(t, frames, "main.show"), frameOf(t, frames, "main.generic[...]"))
	checkVars(t, "show", vals[0].Args, map[string]string{
		"n":     "int = 7",
		"name":  `string = "gopher"`,
		"order": `*main.Order = *main.Order {ID: 42, Items: []main.Item len: 2, cap: 2, [{Name: "pen", Qty: 3},{Name: "ink", Qty: 1}], Owner: *main.Person {Name: "Ann", Age: 30, Next: *main.Person nil}, Status: StatusPaid (2)}`,
		"err":   `error = error(*main.MyErr) *{Code: 5}`,
	})
	checkVars(t, "show", vals[0].Locals, map[string]string{
		"result":   "int = 0",
		"small":    "int8 = -5",
		"flag":     "bool = true",
		"ratio":    "float64 = 2.5",
		"cplx":     "complex128 = (1-2i)",
		"long":     fmt.Sprintf("string = %q…+872 more", strings.Repeat("x", 128)),
		"ints":     "[]int = []int len: 3, cap: 4, [1,2,3]",
		"nilSlice": "[]string = []string len: 0, cap: 0, nil",
		"raw":      `[]uint8 = []uint8 len: 5, cap: 5, "hello"`,
		"arr":      "[3]int16 = [3]int16 [7,8,9]",
		"m":        `map[string]int = map[string]int len: 1, ["one": 1]`,
		"nilMap":   "map[string]bool = map[string]bool nil",
		"many":     "map[int]int = map[int]int len: 100, [*",
		"ch":       "chan int = chan int len: 1, cap: 5",
		"nilChan":  "chan string = chan string nil",
		"fn":       "func(string) string = strings.ToUpper",
		"nilFn":    "func() = nil",
		"nilErr":   "error = error nil",
		"nilPtr":   "*main.Order = *main.Order nil",
		"iface":    `interface {} = interface {}(main.Item) {Name: "pen", Qty: 3}`,
		"wrapped":  `error = error(*fmt.wrapError) *{msg: "wrap: code 5", err: error(*main.MyErr) *{Code: 5}}`,
		"dur":      "time.Duration = 1.5s",
		"when":     "time.Time = time.Time(2024-05-06T07:08:09Z)",
		"pair":     `main.Pair[string,int] = main.Pair[string,int] {Key: "k", Val: 42}`,
		"ptrptr":   "**main.Order = **main.Order **{ID: 42*",
		"up":       "unsafe.Pointer = unsafe.Pointer(0x*",
		"weird":    `string = "a\x1b[31m\nb"`,
		"person":   `main.Person = main.Person {Name: "Ann", Age: 30, Next: *main.Person {Name: "Bob", Age: 31, Next: *main.Person {Name: "Cid", *`,
		"closure":  "func() int = main.show.func1",
		"(name2)":  `string = "gopher"`,
		"name2":    "int = 17",
	})
	for _, name := range []string{"after", "later", "~r0"} {
		if v, ok := byName(vals[0].Locals)[name]; ok {
			t.Errorf("%s is listed before its declaration: %s", name, v)
		}
	}
	checkVars(t, "generic", vals[1].Args, map[string]string{
		"x":    "int = 3",
		"list": "[]int = []int len: 2, cap: 2, [4,5]",
	})
	checkVars(t, "generic", vals[1].Locals, map[string]string{"n": "int = 2"})
}

// In an optimized program much is gone, but nothing that is shown is wrong.
func TestValuesOptimized(t *testing.T) {
	exe := build(t, "values.go")
	corePath := crash(t, exe)
	frames := delveFrames(t, corePath, exe, "main.show")
	vals := evaluate(t, corePath, exe, frameOf(t, frames, "main.show"), frameOf(t, frames, "main.generic[...]"))
	checkVars(t, "show", vals[0].Args, map[string]string{
		"n":     "int = 7", // escaped: the parameter itself is gone
		"name":  `string = "gopher"`,
		"order": "*main.Order = *main.Order {ID: 42, *",
		"err":   `error = error(*main.MyErr) *{Code: 5}`,
	})
	checkVars(t, "show", vals[0].Locals, map[string]string{
		"long":    fmt.Sprintf("string = %q…+872 more", strings.Repeat("x", 128)),
		"m":       `map[string]int = map[string]int len: 1, ["one": 1]`,
		"ch":      "chan int = chan int len: 1, cap: 5",
		"wrapped": `error = error(*fmt.wrapError) *{msg: "wrap: code 5", err: error(*main.MyErr) *{Code: 5}}`,
	})
	plausible := map[string]string{
		"flag": "true", "result": "0", "small": "-5", "ratio": "2.5", "ints": "[1,2,3]", "raw": "hello",
		"arr": "[7,8,9]", "x": "3", "list": "[4,5]", "name2": "17", "fn": "ToUpper", "nilSlice": "nil",
	}
	for _, v := range slices.Concat(vals[0].Args, vals[0].Locals, vals[1].Args, vals[1].Locals) {
		t.Log(v.Name, byName([]report.Variable{v})[v.Name])
		if want, ok := plausible[v.Name]; ok && v.Unreadable == "" &&
			!strings.Contains(v.Value, want) && !strings.Contains(v.Value, optimizedAway) && !strings.Contains(v.Value, "lost") {
			t.Errorf("%s is %s, which is neither right nor marked as gone", v.Name, v.Value)
		}
	}
}

// The faulting instruction is in an inlined call, in the middle of an
// optimized function with everything in registers.
func TestRegisters(t *testing.T) {
	exe := build(t, "fault.go")
	corePath := crash(t, exe)
	frames := delveFrames(t, corePath, exe, "main.deposit")
	deposit, apply, caller := frameOf(t, frames, "main.deposit"), frameOf(t, frames, "main.apply"), frameOf(t, frames, "main.caller")
	if want := marked(t, "fault.go", "FAULT"); deposit.Line != want || !deposit.Inlined || deposit.Call {
		t.Fatalf("the fault is at line %d, not in %+v", want, deposit)
	}
	if want := marked(t, "fault.go", "CALL"); caller.Line != want || !caller.Call {
		t.Fatalf("the call is at line %d, not in %+v", want, caller)
	}
	// Without the registers, what was in them must not read as zero.
	vals := evaluate(t, corePath, exe, deposit, apply, caller)
	for i, vars := range []map[string]string{
		{"fee": "int64 ! lost: was in register *"},
		{"memo": "string ! lost: was in register *", "small": "int32 ! lost: was in register *"},
		{"a": "*main.Account ! lost: was in register RAX", "flag": "bool = true"},
	} {
		checkVars(t, "without registers", slices.Concat(vals[i].Args, vals[i].Locals), vars)
	}
	deposit.G = generalRegisters(frames[0])
	apply.G = deposit.G
	vals = evaluate(t, corePath, exe, deposit, apply)
	for i, vars := range []map[string]string{
		{"fee": "int64 = 100"},
		{"memo": `string = "for lunch"`, "small": "int32 = -9", "tags": "[]string = []string len: 1, *"},
	} {
		checkVars(t, "with registers", slices.Concat(vals[i].Args, vals[i].Locals), vars)
	}
}

func TestWrongFrame(t *testing.T) {
	exe := build(t, "fault.go")
	corePath := crash(t, exe)
	good := frameOf(t, delveFrames(t, corePath, exe, "main.deposit"), "main.caller")
	wrong := good
	wrong.Function = "main.nonesuch"
	vals, err := Evaluate(t.Context(), Request{Core: corePath, Exe: exe, Frames: []Frame{{}, wrong, {PC: 1, Function: "x"}, good}})
	if err != nil || len(vals) != 4 {
		t.Fatal(vals, err)
	}
	for i, v := range vals {
		if (v.Err != "") != (i < 3) {
			t.Errorf("frame %d: %+v", i, v)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	exe := build(b, "fault.go")
	corePath := crash(b, exe)
	frame := frameOf(b, delveFrames(b, corePath, exe, "main.deposit"), "main.caller")
	for b.Loop() {
		evaluate(b, corePath, exe, frame)
	}
}
