//! Tables without borders: two spaces between columns, nothing behind the last one.

use super::style::Style;

/// Rows under a line of headings.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<(String, Style)>>,
    /// Lines below a row, by how many rows there were before them.
    notes: Vec<(usize, String)>,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Table {
            headings: headings.to_vec(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row; a cell without a value is shown as `-`.
    pub(crate) fn row(&mut self, cells: Vec<(String, Style)>) {
        let cells = cells
            .into_iter()
            .map(|(text, style)| {
                let text = text.replace(char::is_control, " ");
                if text.is_empty() {
                    ("-".to_owned(), Style::Dim)
                } else {
                    (text, style)
                }
            })
            .collect();
        self.rows.push(cells);
    }

    /// Adds a line below the last row.
    pub(crate) fn note(&mut self, text: &str) {
        let text = text.replace(char::is_control, " ");
        self.notes.push((self.rows.len(), text));
    }

    /// The whole table, each line ended.
    pub(crate) fn render(&self, colour: bool) -> String {
        let width = |text: &str| text.chars().count();
        let mut widths: Vec<usize> = self.headings.iter().map(|h| width(h)).collect();
        for row in &self.rows {
            for (at, (text, _)) in row.iter().enumerate() {
                if let Some(widest) = widths.get_mut(at) {
                    *widest = (*widest).max(width(text));
                }
            }
        }
        let headings = self
            .headings
            .iter()
            .map(|h| ((*h).to_owned(), Style::Dim))
            .collect();
        let mut out = String::new();
        let mut notes = self.notes.iter().peekable();
        for (number, row) in std::iter::once(&headings).chain(&self.rows).enumerate() {
            let last = row.len().saturating_sub(1);
            for (at, (text, style)) in row.iter().enumerate() {
                out.push_str(&style.paint(text, colour));
                if at < last {
                    let gap = widths.get(at).copied().unwrap_or(0).saturating_sub(width(text)) + 2;
                    out.extend(std::iter::repeat_n(' ', gap));
                }
            }
            out.push('\n');
            while let Some((_, note)) = notes.next_if(|(rows, _)| *rows == number) {
                out.push_str(&format!("  {}\n", Style::Warning.paint(note, colour)));
            }
        }
        out
    }
}
