//! What a person reads: headings, sentences and a table; colour only on a terminal.

use std::fmt::Display;
use std::io::IsTerminal as _;

/// Standard output, as a terminal or as a log file.
pub(crate) struct Screen {
    colour: bool,
    step: u32,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, step: 0 }
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.step += 1;
        println!("\n{}", self.paint("1;36", format!("{}. {text}", self.step)));
    }

    pub(crate) fn say(&self, text: impl Display) {
        println!("   {text}");
    }

    /// Output of a program, set off by a bar.
    pub(crate) fn quote(&self, text: &str) {
        for line in text.lines() {
            println!("   {} {line}", self.paint("2", "|"));
        }
    }

    /// One line of the closing table.
    pub(crate) fn row(&self, name: &str, value: impl Display, good: bool) {
        let mark = if good {
            self.paint("32", "ok")
        } else {
            self.paint("1;31", "WRONG")
        };
        println!("   {name:<26} {value:>8}   {mark}");
    }

    pub(crate) fn verdict(&self, good: bool, text: &str) {
        println!("\n{}", self.paint(if good { "1;32" } else { "1;31" }, text));
    }

    fn paint(&self, code: &str, text: impl Display) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}
