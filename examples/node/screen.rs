//! Where the output goes: a terminal, drawn over in place, or plain lines for a file or a pipe.

use std::io::{self, IsTerminal, Write};

#[derive(Clone, Copy)]
pub enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Magenta,
}

pub struct Screen {
    terminal: bool,
    coloured: bool,
    drawing: bool,
}

impl Screen {
    /// `plain`: no escape codes even on a terminal.
    pub fn new(plain: bool) -> Self {
        let terminal = io::stdout().is_terminal() && !plain;
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, coloured: terminal && wanted, drawing: false }
    }

    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub fn width(&self) -> usize {
        self.size().map_or(200, |(columns, _)| columns)
    }

    pub fn height(&self) -> usize {
        self.size().map_or(usize::MAX, |(_, rows)| rows)
    }

    /// Columns and rows, asked each time because a window can be resized.
    fn size(&self) -> Option<(usize, usize)> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        let known = self.terminal && size.ws_col > 0 && size.ws_row > 0;
        known.then_some((size.ws_col.into(), size.ws_row.into()))
    }

    pub fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            _ if !self.coloured => return text.to_owned(),
            Colour::Bold => 1,
            Colour::Dim => 2,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Magenta => 35,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Draws `lines` over what was drawn before, on a page of its own that the terminal forgets.
    pub fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = String::new();
        if !self.drawing {
            self.drawing = true;
            out.push_str("\x1b[?1049h\x1b[?25l");
        }
        out.push_str("\x1b[H");
        out.push_str(&lines.join("\x1b[K\n"));
        out.push_str("\x1b[K\x1b[J");
        write_out(&out)
    }

    /// Writes lines that stay.
    pub fn print(&mut self, lines: &[String]) -> io::Result<()> {
        self.leave_page()?;
        write_out(&(lines.join("\n") + "\n"))
    }

    fn leave_page(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.drawing) {
            true => write_out("\x1b[?25h\x1b[?1049l"),
            false => Ok(()),
        }
    }
}

impl Drop for Screen {
    /// However the program ends, the terminal is given back as it was.
    fn drop(&mut self) {
        let _ = self.leave_page();
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
