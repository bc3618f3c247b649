package process

// ScanPages and ReadPages are the two ways of [Process.Populated].
func (p *Process) ScanPages(r Region) ([]Range, error) {
	f, err := p.file("pagemap", 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return scanPages(f, r)
}

func (p *Process) ReadPages(r Region) ([]Range, error) {
	f, err := p.file("pagemap", 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPages(f, r)
}
