package bundle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Verify compares all members with SHA256SUMS. A difference gives
// [ErrChecksum], as does a member that is not listed, or is listed and not
// there; a bundle that is cut off gives [ErrTruncated]. The error names every
// member that is wrong.
func (b *Bundle) Verify() error {
	if b.truncated {
		return fmt.Errorf("verify bundle %s: %w", b.path, ErrTruncated)
	}
	want, err := b.sums()
	if err != nil {
		return fmt.Errorf("verify bundle %s: %w", b.path, err)
	}
	var errs []error
	for _, name := range b.order {
		if name == SumsName {
			continue
		}
		sum, listed := want[name]
		delete(want, name)
		if !listed {
			errs = append(errs, fmt.Errorf("%s: %w: not listed", name, ErrChecksum))
			continue
		}
		switch got, err := b.sum(name); {
		case err != nil:
			errs = append(errs, err)
		case got != sum:
			errs = append(errs, fmt.Errorf("%s: %w", name, ErrChecksum))
		}
	}
	for name := range want {
		errs = append(errs, fmt.Errorf("%s: %w: listed, but not there", name, ErrChecksum))
	}
	if len(errs) > 0 {
		return fmt.Errorf("verify bundle %s: %w", b.path, errors.Join(errs...))
	}
	return nil
}

// sum computes the checksum of a member.
func (b *Bundle) sum(name string) (s [sha256.Size]byte, err error) {
	m, err := b.Open(name)
	if err != nil {
		return s, err
	}
	defer m.Close()
	h := sha256.New()
	if _, err := m.WriteTo(h); err != nil {
		return s, err
	}
	h.Sum(s[:0])
	return s, nil
}

// sums reads SHA256SUMS.
func (b *Bundle) sums() (map[string][sha256.Size]byte, error) {
	const limit = maxMembers * (2*sha256.Size + 2*maxName + 8)
	text, err := b.ReadFile(SumsName, limit)
	if err != nil {
		return nil, err
	}
	sums := make(map[string][sha256.Size]byte)
	for line := range bytes.Lines(text) {
		s, ok := parseSumLine(string(bytes.TrimSuffix(line, []byte("\n"))))
		if !ok {
			return nil, fmt.Errorf("%s: a line of another kind: %w", SumsName, ErrChecksum)
		}
		if _, twice := sums[s.name]; twice {
			return nil, fmt.Errorf("%s: %s appears twice: %w", SumsName, s.name, ErrChecksum)
		}
		if len(sums) >= maxMembers {
			return nil, fmt.Errorf("%w: %s lists more than %d members", ErrUnsafe, SumsName, maxMembers)
		}
		sums[s.name] = s.hash
	}
	return sums, nil
}
