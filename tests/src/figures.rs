//! Figures, and the tables that show them.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

/// Bytes of a mebibyte.
pub const MIB: f64 = 1024.0 * 1024.0;

/// Figures of one kind: the middle one, the least and the greatest.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// The spread of these figures.
    ///
    /// # Panics
    /// There is no figure.
    pub fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        let (first, last) = (figures.first(), figures.last());
        let (Some(&min), Some(&max)) = (first, last) else {
            panic!("a spread must be of at least one figure");
        };
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures[middle],
        };
        Spread { median, min, max }
    }

    /// The median (least to greatest).
    pub fn text(self, decimals: usize) -> String {
        let Spread { median, min, max } = self;
        format!("{median:.decimals$} ({min:.decimals$} to {max:.decimals$})")
    }
}

/// The figure below which this part of all is; NaN of none.
pub fn quantile(times: &[f64], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let index = (times.len() as f64 * part) as usize;
    times
        .get(index.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Rows as a Markdown table with aligned columns; the first row is the head.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row.get(column).map_or(0, String::len))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().map(String::as_str).chain(std::iter::repeat(""));
        for (cell, width) in cells.zip(&widths) {
            write!(text, "| {cell:<width$} ").expect("a String must take text");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                write!(text, "|{}", "-".repeat(width + 2)).expect("a String must take text");
            }
            text.push_str("|\n");
        }
    }
    text
}

/// The processor of this machine.
///
/// # Errors
/// `/proc` does not say.
pub fn processor() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unnamed processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{model}, {cores} cores"))
}
