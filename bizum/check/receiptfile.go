package check

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"bizumctl/bizum"
)

// What can be wrong with a receipt, see ReceiptError.
var (
	ErrNotReceipt = errors.New("not a receipt")
	ErrFolder     = errors.New("is a folder: want a file")
	ErrCut        = errors.New("the receipt is cut: its end is missing")
	ErrEdited     = errors.New("the receipt was edited: its checksum does not fit")
	ErrLater      = errors.New("the receipt is of a later version of bizumctl")
)

// ReceiptError means that a file holds no receipt that can be relied on, as Reason says.
type ReceiptError struct {
	Path   string
	Reason error // one of those above, or what contradicts itself
}

func (e *ReceiptError) Error() string { return fmt.Sprintf("receipt %s: %v", e.Path, e.Reason) }
func (e *ReceiptError) Unwrap() error { return e.Reason }

// A receipt is one JSON object over several lines: all but the accounts on the first one, then an account a line, and
// last the checksum, a SHA-256 of all lines before.
const (
	opening   = `{"bizumctl":"receipt","version":`
	listBegin = `,"accounts":[` + "\n"
	listEnd   = `],"checksum":"`
	objectEnd = `"}` + "\n"
)

// WriteReceipt writes a receipt to a file, which it replaces whole.
func WriteReceipt(path string, r *Receipt) (err error) {
	if err := r.valid(); err != nil {
		return &ReceiptError{path, err}
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	if err := r.encode(file); err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename outlast a power cut, where folders can be synced.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	_ = folder.Sync() // which some systems do not have
	return nil
}

func (r *Receipt) encode(to io.Writer) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10)
	head, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s%d,%s%s", opening, Version, head[1:len(head)-1], listBegin)
	var line []byte
	for i := range r.Accounts {
		line = r.Accounts[i].append(line[:0])
		if i < len(r.Accounts)-1 {
			line = append(line, ',')
		}
		out.Write(append(line, '\n')) // Flush returns its error
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "%s%x%s", listEnd, sum.Sum(nil), objectEnd)
	return err
}

// append appends the account as an array: name, payments, sum, closing balance, hash.
func (a *Account) append(b []byte) []byte {
	name, _ := json.Marshal(a.Name) // a string always can be
	digits, _ := a.Hash.MarshalText()
	b = append(append(b, '['), name...)
	b = strconv.AppendInt(append(b, ','), a.Payments, 10)
	b = append(a.Sum.Append(append(b, `,"`...)), `","`...)
	b = append(a.Closing.Append(b), `","`...)
	return append(append(b, digits...), `"]`...)
}

// ReadReceipt reads a receipt. Besides the errors of opening and reading a file it returns a ReceiptError.
func ReadReceipt(path string) (*Receipt, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, &ReceiptError{path, ErrFolder}
	}
	r, err := DecodeReceipt(file)
	var failed *os.PathError
	if err != nil && !errors.As(err, &failed) {
		err = &ReceiptError{path, err}
	}
	return r, err
}

// DecodeReceipt reads a receipt. Its errors are reasons of a ReceiptError, or those of the reader.
func DecodeReceipt(from io.Reader) (*Receipt, error) {
	d := receiptReader{lines: bufio.NewReaderSize(from, 64<<10), sum: sha256.New()}
	if err := d.checkVersion(opening); err != nil {
		return nil, err
	}
	head, err := d.line()
	if err != nil {
		return nil, err
	}
	d.sum.Write(head)
	r := new(Receipt)
	fields, whole := bytes.CutSuffix(head, []byte(listBegin))
	if !whole || json.Unmarshal(append(fields[:len(fields):len(fields)], '}'), r) != nil {
		return nil, ErrEdited
	}
	for {
		line, err := d.line()
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(line, []byte(listEnd)) {
			if err := d.end(line); err != nil {
				return nil, err
			}
			break
		}
		var a Account
		if a.parse(bytes.TrimSuffix(line[:len(line)-1], []byte(","))) != nil {
			return nil, ErrEdited
		}
		d.sum.Write(line)
		r.Accounts = append(r.Accounts, a)
	}
	return r, r.valid()
}

// checkVersion returns an error unless what comes begins like that, and is of a version that this program reads.
func (d *receiptReader) checkVersion(opening string) error {
	const digitsMax = 9
	head, err := d.lines.Peek(len(opening) + digitsMax + len(","))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	rest, ours := bytes.CutPrefix(head, []byte(opening))
	if !ours {
		if len(head) > 0 && bytes.HasPrefix([]byte(opening), head) {
			return ErrCut
		}
		return ErrNotReceipt
	}
	digits, _, whole := bytes.Cut(rest, []byte{','})
	version, err := strconv.ParseUint(string(digits), 10, 32)
	switch {
	case !whole && len(rest) < digitsMax:
		return ErrCut
	case err != nil || version == 0:
		return ErrEdited
	case version > Version:
		return ErrLater
	}
	return nil
}

// receiptReader reads the lines of a receipt.
type receiptReader struct {
	lines *bufio.Reader
	sum   hash.Hash // of the lines but the last
}

// line returns the next line with its end. If there is none, the error is ErrCut.
func (d *receiptReader) line() ([]byte, error) {
	line, err := d.lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = ErrCut
	}
	return line, err
}

// end checks the last line, and that nothing comes after it.
func (d *receiptReader) end(line []byte) error {
	want := listEnd + hex.EncodeToString(d.sum.Sum(nil)) + objectEnd
	if _, err := d.lines.ReadByte(); string(line) != want || !errors.Is(err, io.EOF) {
		return ErrEdited
	}
	return nil
}

// parse reads what append makes.
func (a *Account) parse(line []byte) error {
	var sum, closing Euros
	fields := []any{&a.Name, &a.Payments, &sum, &closing, &a.Hash}
	var texts []json.RawMessage
	if err := json.Unmarshal(line, &texts); err != nil {
		return err
	}
	if len(texts) != len(fields) {
		return ErrEdited
	}
	for i, text := range texts {
		if err := json.Unmarshal(text, fields[i]); err != nil {
			return err
		}
	}
	a.Sum, a.Closing = bizum.Amount(sum), bizum.Amount(closing)
	return nil
}
