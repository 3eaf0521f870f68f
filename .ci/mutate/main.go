// Mutate breaks Go source on purpose, for .ci/mutants. Each argument is an edit of the statement, or the case, that
// begins on a line with the comment //mutant:NAME; what is on the line may be renamed without harm.
//
//	drop:NAME          the statement is not there
//	false:NAME         the condition of an if or a case never holds; what is assigned is false
//	true:NAME          it always holds
//	last:NAME          of a condition a && b && c, only c
//	ignore:NAME        if err := call(); err != nil {...} goes on after the error
//	negate:NAME:N      the N-th argument of the statement's first call, with a minus before it
//	increment:NAME:N   the N-th argument, plus one
//	before:NAME:OTHER  the statement is moved before another
//	after:NAME:OTHER   the statement is moved behind another
//	early:NAME:OTHER   what a return statement calls is called before another, too
//
// A NAME of @map is the only if, or case, with a condition that looks into that map, for files without markers.
//
// A file that is changed is kept under its name and .sound.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	for _, edit := range os.Args[2:] {
		if err := mutate(os.Args[1], strings.Split(edit, ":")); err != nil {
			fmt.Fprintf(os.Stderr, "mutate: %s: %v\n", edit, err)
			os.Exit(1)
		}
	}
}

// place is a node of a file.
type place struct {
	file string
	text []byte
	node ast.Node
	fset *token.FileSet
}

func (p *place) offset(pos token.Pos) int { return p.fset.Position(pos).Offset }

func (p *place) of(n ast.Node) string { return string(p.text[p.offset(n.Pos()):p.offset(n.End())]) }

// replaced is the file's text with another text for a node.
func (p *place) replaced(n ast.Node, by string) []byte {
	return bytes.Join([][]byte{p.text[:p.offset(n.Pos())], []byte(by), p.text[p.offset(n.End()):]}, nil)
}

func mutate(tree string, edit []string) error {
	if len(edit) < 2 {
		return fmt.Errorf("want OPERATOR:NAME")
	}
	p, err := find(tree, edit[1])
	if err != nil {
		return err
	}
	switch edit[0] {
	case "drop":
		return p.write(p.replaced(p.node, ""))
	case "false", "true":
		condition, err := p.condition()
		if err != nil {
			return err
		}
		return p.write(p.replaced(condition, edit[0]))
	case "last":
		condition, err := p.condition()
		if err != nil {
			return err
		}
		and, ok := condition.(*ast.BinaryExpr)
		if !ok || and.Op != token.LAND {
			return fmt.Errorf("%s is no && condition", p.of(condition))
		}
		return p.write(p.replaced(condition, p.of(and.Y)))
	case "ignore":
		call, err := p.call()
		if err != nil {
			return err
		}
		return p.write(p.replaced(p.node, "_ = "+p.of(call)))
	case "negate", "increment":
		argument, err := p.argument(edit[2:])
		if err != nil {
			return err
		}
		text := "-(" + p.of(argument) + ")"
		if edit[0] == "increment" {
			text = p.of(argument) + " + 1"
		}
		return p.write(p.replaced(argument, text))
	case "before", "after", "early":
		return move(tree, p, edit)
	}
	return fmt.Errorf("no such operator")
}

func move(tree string, p *place, edit []string) error {
	if len(edit) < 3 {
		return fmt.Errorf("want OPERATOR:NAME:OTHER")
	}
	statement := p.of(p.node) + "\n"
	if edit[0] == "early" {
		call, err := p.call()
		if err != nil {
			return err
		}
		statement = "if err := " + p.of(call) + "; err != nil {\nreturn err\n}\n"
	} else if err := p.write(p.replaced(p.node, "")); err != nil {
		return err
	}
	other, err := find(tree, edit[2])
	if err != nil {
		return err
	}
	if edit[0] == "after" {
		return other.write(other.replaced(other.node, other.of(other.node)+"\n"+statement))
	}
	return other.write(other.replaced(other.node, statement+other.of(other.node)))
}

// condition is what an if or a case tests, or what is assigned.
func (p *place) condition() (ast.Expr, error) {
	switch n := p.node.(type) {
	case *ast.IfStmt:
		return n.Cond, nil
	case *ast.CaseClause:
		if len(n.List) == 1 {
			return n.List[0], nil
		}
	case *ast.AssignStmt:
		if len(n.Rhs) == 1 {
			return n.Rhs[0], nil
		}
	}
	return nil, fmt.Errorf("%T has no condition", p.node)
}

// call is the first call of the statement.
func (p *place) call() (call *ast.CallExpr, err error) {
	ast.Inspect(p.node, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && call == nil {
			call = c
		}
		return call == nil
	})
	if call == nil {
		err = fmt.Errorf("no call")
	}
	return call, err
}

func (p *place) argument(number []string) (ast.Expr, error) {
	call, err := p.call()
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.Join(number, ""))
	if err != nil || n < 1 || n > len(call.Args) {
		return nil, fmt.Errorf("no argument %q of %d", number, len(call.Args))
	}
	return call.Args[n-1], nil
}

// find looks for the one place of a name.
func find(tree, name string) (found *place, err error) {
	err = filepath.WalkDir(tree, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".go" {
			return err
		}
		p := &place{file: file, fset: token.NewFileSet()}
		if p.text, err = os.ReadFile(file); err != nil {
			return err
		}
		syntax, err := parser.ParseFile(p.fset, file, p.text, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, node := range p.named(syntax, name) {
			if found != nil {
				return fmt.Errorf("%s is in %s and in %s", name, found.file, file)
			}
			found = &place{file, p.text, node, p.fset}
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s is nowhere in %s", name, tree)
	}
	return found, err
}

func (p *place) named(syntax *ast.File, name string) (nodes []ast.Node) {
	if indexed, ok := strings.CutPrefix(name, "@"); ok {
		ast.Inspect(syntax, func(n ast.Node) bool {
			switch s := n.(type) {
			case *ast.CaseClause:
				if len(s.List) == 1 && p.indexes(s.List[0], indexed) {
					nodes = append(nodes, s)
				}
			case *ast.IfStmt:
				if p.indexes(s.Cond, indexed) {
					nodes = append(nodes, s)
				}
			}
			return true
		})
		return nodes
	}
	line := 0
	for _, group := range syntax.Comments {
		for _, comment := range group.List {
			if comment.Text == "//mutant:"+name {
				line = p.fset.Position(comment.Pos()).Line
			}
		}
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		if s, ok := n.(ast.Stmt); ok && p.fset.Position(s.Pos()).Line == line && len(nodes) == 0 {
			if _, isBlock := s.(*ast.BlockStmt); !isBlock {
				nodes = append(nodes, s)
			}
		}
		return true
	})
	return nodes
}

func (p *place) indexes(condition ast.Expr, name string) (found bool) {
	ast.Inspect(condition, func(n ast.Node) bool {
		if i, ok := n.(*ast.IndexExpr); ok {
			x := p.of(i.X)
			found = found || x == name || strings.HasSuffix(x, "."+name)
		}
		return true
	})
	return found
}

// write writes a file, and keeps what it was before the first edit.
func (p *place) write(text []byte) error {
	if _, err := os.Stat(p.file + ".sound"); os.IsNotExist(err) {
		if err := os.WriteFile(p.file+".sound", p.text, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(p.file, text, 0o644)
}
