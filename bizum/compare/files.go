package compare

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bizumctl/bizum/check"
	"bizumctl/bizum/format"
)

// Files compares the rows of files, and of the files in folders and below. It leaves out what is no data: what
// begins with a dot or an underscore, as _SUCCESS and _spark_metadata do, and checksums. The error is
// ErrNothing if nothing is left.
func Files(ctx context.Context, paths []string, config Config) error {
	files, err := list(paths)
	if err != nil {
		return err
	}
	r := newReader(config)
	return passes(ctx, config.Comparison, func() error {
		for i, path := range files {
			place := check.Place{Source: path, Part: int32(i), InFile: true}
			err := format.ReadFile(path, r.columns, r.defaults(), func(n int64, cells format.Cells) error {
				if n%1024 == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				place.At = n
				return r.row(place, cells)
			})
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// list lists the files, those of a folder in the order of their names.
func list(paths []string) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case name != path && noData(entry.Name()):
				if entry.IsDir() {
					return fs.SkipDir
				}
			case !entry.IsDir():
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, nothingIn(path)
		}
	}
	return files, nil
}

// noData reports whether a file or folder of this name is beside the data.
func noData(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, ".crc")
}
