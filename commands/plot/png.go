package plot

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// scale is how many pixels a point has, so that a picture is sharp in print, too.
const scale = 2

// png returns a scene as PNG.
func (s *scene) png() ([]byte, error) {
	canvas := image.NewRGBA(image.Rect(0, 0, width*scale, height*scale))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	for _, p := range s.paths {
		stroke(canvas, p)
	}
	write, err := newWriter(canvas)
	if err != nil {
		return nil, err
	}
	for _, t := range s.texts {
		if err := write.text(t); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	err = png.Encode(&b, canvas)
	return b.Bytes(), err
}

// stroke draws a path. All its strokes are upright or level, so that each is a rectangle.
func stroke(canvas draw.Image, p path) {
	brush := image.NewUniform(colorOf(p.color))
	half := p.width * scale / 2
	for i := 1; i < len(p.at); i++ {
		a, b := p.at[i-1], p.at[i]
		r := image.Rect(pixel(a.x*scale-half), pixel(a.y*scale-half), pixel(b.x*scale-half), pixel(b.y*scale-half))
		r.Max = r.Max.Add(image.Pt(int(2*half), int(2*half)))
		draw.Draw(canvas, r, brush, image.Point{}, draw.Src)
	}
}

func pixel(x float64) int { return int(math.Round(x)) }

// colorOf returns a colour of the palette.
func colorOf(hex string) color.RGBA {
	c := color.RGBA{A: 0xff}
	_, _ = fmt.Sscanf(hex, "#%02x%02x%02x", &c.R, &c.G, &c.B) // the palette is right
	return c
}

// writer writes texts in the Go fonts, which are built in: what a machine has would make each picture another one.
type writer struct {
	canvas        draw.Image
	regular, bold *opentype.Font
}

func newWriter(canvas draw.Image) (*writer, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	bold, err := opentype.Parse(gobold.TTF)
	return &writer{canvas, regular, bold}, err
}

func (w *writer) text(t text) error {
	of := w.regular
	if t.bold {
		of = w.bold
	}
	face, err := opentype.NewFace(of, &opentype.FaceOptions{Size: t.size * scale, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return err
	}
	defer face.Close()
	d := font.Drawer{Dst: w.canvas, Src: image.NewUniform(colorOf(t.color)), Face: face,
		Dot: fixed.Point26_6{X: fixed26(t.at.x * scale), Y: fixed26(t.at.y * scale)}}
	switch t.anchor {
	case middle:
		d.Dot.X -= d.MeasureString(t.text) / 2
	case end:
		d.Dot.X -= d.MeasureString(t.text)
	}
	d.DrawString(t.text)
	return nil
}

func fixed26(x float64) fixed.Int26_6 { return fixed.Int26_6(math.Round(x * 64)) }
