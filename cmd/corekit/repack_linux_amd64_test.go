package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/corekit/corekit/sdk/bundle"
)

// unpack writes a bundle's members below dir.
func unpack(path, dir string) error {
	b, err := bundle.Open(path)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, name := range b.Names() {
		m, err := b.Open(name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		f, err := os.Create(to)
		if err != nil {
			return err
		}
		_, err = m.WriteTo(f)
		if err := errors.Join(err, f.Close(), m.Close()); err != nil {
			return err
		}
	}
	return nil
}

// repack makes an ordinary archive of an unpacked bundle, but for one member.
func repack(dir, path, without string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var w io.Writer = f
	if strings.HasSuffix(path, ".gz") {
		z := gzip.NewWriter(f)
		defer z.Close()
		w = z
	}
	t := tar.NewWriter(w)
	defer t.Close()
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(p) == without {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(filepath.Dir(dir), p)
		if err != nil {
			return err
		}
		h.Name = filepath.ToSlash(rel)
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		if err == nil {
			_, err = t.Write(data)
		}
		return err
	})
}
