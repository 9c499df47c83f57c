package auth

// Weaken makes bundles cheap to open, and to guess.
func Weaken() { stretch = 4 }

// FillDisk lets every write of the store fail with what full returns, unless that is nil.
func (f *File) FillDisk(full func() error) {
	f.write = func(path string, content []byte) error {
		if err := full(); err != nil {
			return err
		}
		return replaceFile(path, content)
	}
}
