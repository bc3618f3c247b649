package layout

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// FromDWARF reads the layout from the debug information of an executable. It
// stops as soon as it has every structure, and looks into the runtime's
// compilation units first, so that a large program costs little.
func FromDWARF(d *dwarf.Data) (Layout, error) {
	want := make(map[string]dwarf.Offset) // structure types by name
	var l Layout
	typ := reflect.TypeOf(l)
	for i := range typ.NumField() {
		want[structName(typ.Field(i).Tag.Get("rt"))] = 0
	}
	if err := findStructs(d, want); err != nil {
		return Layout{}, err
	}
	members := make(map[dwarf.Offset]*structure)
	val := reflect.ValueOf(&l).Elem()
	for i := range typ.NumField() {
		tag := typ.Field(i).Tag.Get("rt")
		name := structName(tag)
		_, path, _ := strings.Cut(tag, ".")
		off, err := offsetOf(d, members, want[name], path)
		if err != nil {
			return Layout{}, fmt.Errorf("layout: %s: %w", tag, err)
		}
		val.Field(i).SetInt(off)
	}
	return l, nil
}

func structName(tag string) string {
	tag = strings.TrimPrefix(tag, "sizeof ")
	name, _, _ := strings.Cut(tag, ".")
	return "runtime." + name
}

// findStructs fills in the offsets of the structure types named in want.
func findStructs(d *dwarf.Data, want map[string]dwarf.Offset) error {
	missing := len(want)
	r := d.Reader()
	var others []dwarf.Offset
	scan := func() error {
		for missing > 0 {
			e, err := r.Next()
			if err != nil {
				return fmt.Errorf("layout: read DWARF: %w", err)
			}
			if e == nil || e.Tag == 0 || e.Tag == dwarf.TagCompileUnit {
				return nil
			}
			if e.Tag == dwarf.TagStructType {
				name, _ := e.Val(dwarf.AttrName).(string)
				if off, ok := want[name]; ok && off == 0 {
					want[name] = e.Offset
					missing--
				}
			}
			if e.Children {
				r.SkipChildren()
			}
		}
		return nil
	}
	for missing > 0 {
		e, err := r.Next()
		if err != nil {
			return fmt.Errorf("layout: read DWARF: %w", err)
		}
		if e == nil {
			break
		}
		if e.Tag != dwarf.TagCompileUnit {
			r.SkipChildren()
			continue
		}
		if name, _ := e.Val(dwarf.AttrName).(string); name == "runtime" {
			if err := scan(); err != nil {
				return err
			}
			continue // the assembly's unit has the same name
		}
		others = append(others, e.Offset)
		r.SkipChildren()
	}
	for _, off := range others {
		if missing == 0 {
			break
		}
		r.Seek(off)
		if _, err := r.Next(); err != nil {
			return fmt.Errorf("layout: read DWARF: %w", err)
		}
		if err := scan(); err != nil {
			return err
		}
	}
	if missing > 0 {
		return errors.New("layout: DWARF does not describe the runtime's structures")
	}
	return nil
}

// structure is what one DW_TAG_structure_type says.
type structure struct {
	size    int64
	members map[string]member
}

type member struct {
	off int64
	typ dwarf.Offset
}

// offsetOf returns the offset of the member that path names in the structure
// at off, its size if path is empty, -1 if there is no such member.
func offsetOf(d *dwarf.Data, cache map[dwarf.Offset]*structure, off dwarf.Offset, path string) (int64, error) {
	s := cache[off]
	if s == nil {
		var err error
		if s, err = readStruct(d, off); err != nil {
			return 0, err
		}
		cache[off] = s
	}
	if path == "" {
		return s.size, nil
	}
	first, rest, more := strings.Cut(path, ".")
	m, ok := s.members[first]
	if !ok {
		return -1, nil
	}
	if !more {
		return m.off, nil
	}
	sub, err := offsetOf(d, cache, m.typ, rest)
	if err != nil || sub < 0 {
		return sub, err
	}
	return m.off + sub, nil
}

func readStruct(d *dwarf.Data, off dwarf.Offset) (*structure, error) {
	r := d.Reader()
	for range 8 { // typedefs before the structure
		r.Seek(off)
		e, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("read DWARF: %w", err)
		}
		if e == nil {
			break
		}
		if e.Tag == dwarf.TagTypedef {
			off, _ = e.Val(dwarf.AttrType).(dwarf.Offset)
			continue
		}
		if e.Tag != dwarf.TagStructType {
			break
		}
		return readMembers(r, e)
	}
	return nil, fmt.Errorf("no structure at DWARF offset %#x", off)
}

func readMembers(r *dwarf.Reader, e *dwarf.Entry) (*structure, error) {
	s := &structure{members: make(map[string]member)}
	s.size, _ = e.Val(dwarf.AttrByteSize).(int64)
	if !e.Children {
		return s, nil
	}
	for {
		e, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("read DWARF: %w", err)
		}
		if e == nil || e.Tag == 0 {
			return s, nil
		}
		if e.Tag == dwarf.TagMember {
			name, _ := e.Val(dwarf.AttrName).(string)
			var m member
			m.off, _ = e.Val(dwarf.AttrDataMemberLoc).(int64)
			m.typ, _ = e.Val(dwarf.AttrType).(dwarf.Offset)
			s.members[name] = m
		}
		if e.Children {
			r.SkipChildren()
		}
	}
}
