//! A page of paragraphs, tables and pictures, and its HTML.

use super::{escape, svg};
use crate::results::details::tables::TextTable;

/// Forbids scripts, connections and every file outside the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("style.css");

/// A page under one title.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    body: String,
}

/// How the cells of a table are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Numbers, to the right.
    Numbers,
    /// Texts, to the left.
    Words,
}

impl Page {
    /// A page with a title.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: String::new() }
    }

    /// Begins a section.
    pub fn heading(&mut self, heading: &str) {
        self.body += &format!("<h2>{}</h2>\n", escape::text(heading));
    }

    /// Adds a paragraph; an empty one is left out.
    pub fn paragraph(&mut self, text: &str) {
        self.add_paragraph("", text);
    }

    /// Adds a paragraph in a quieter colour; an empty one is left out.
    pub fn note(&mut self, text: &str) {
        self.add_paragraph(" class=\"soft\"", text);
    }

    /// Adds the sentence that a reader must not miss.
    pub fn verdict(&mut self, text: &str) {
        self.add_paragraph(" class=\"verdict\"", text);
    }

    /// Adds a table; one without rows is left out.
    pub fn table(&mut self, table: &TextTable, cells: Cells) {
        self.body += &table_html(table, cells);
    }

    /// Adds a table under a heading that unfolds it.
    pub fn folded_table(&mut self, heading: &str, table: &TextTable, cells: Cells) {
        self.body += &format!(
            "<details><summary>{}</summary>\n{}</details>\n",
            escape::text(heading),
            table_html(table, cells)
        );
    }

    /// Adds a picture as SVG. One that has more than shapes and texts is left out, and a note says so.
    pub fn picture(&mut self, name: &str, picture: &str) {
        match svg::checked(picture) {
            Some(picture) => self.body += &format!("<div class=\"picture\">{picture}</div>\n"),
            None => self.note(&format!(
                "the picture {name} is left out: it is not one that herdbook draws"
            )),
        }
    }

    /// The whole file.
    pub fn to_html(&self) -> String {
        let title = escape::text(&self.title);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"generator\" content=\"herdbook {}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{}</body>\n</html>\n",
            env!("CARGO_PKG_VERSION"),
            self.body,
        )
    }

    fn add_paragraph(&mut self, class: &str, text: &str) {
        if !text.is_empty() {
            self.body += &format!("<p{class}>{}</p>\n", escape::text(text));
        }
    }
}

fn table_html(table: &TextTable, cells: Cells) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let class = match cells {
        Cells::Numbers => "",
        Cells::Words => " class=\"words\"",
    };
    let row = |cells: &[String], tag: &str| {
        let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape::text(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let head = if table.heading.iter().all(String::is_empty) {
        String::new()
    } else {
        format!("<thead>{}</thead>\n", row(&table.heading, "th"))
    };
    let rows: String = table.rows.iter().map(|cells| row(cells, "td")).collect();
    format!("<div class=\"scroll\"><table{class}>\n{head}<tbody>\n{rows}</tbody></table></div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "</title><script>alert(1)</script><img src=x onerror=alert(1)>";
        let mut page = Page::new(hostile);
        page.heading(hostile);
        page.paragraph(hostile);
        page.note(hostile);
        page.verdict(hostile);
        let table = TextTable { heading: vec![hostile.into()], rows: vec![vec![hostile.into()]] };
        page.table(&table, Cells::Numbers);
        page.folded_table(hostile, &table, Cells::Words);
        page.picture(hostile, "<svg onload=\"alert(1)\"></svg>");
        let html = page.to_html();
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<svg"));
        assert_eq!(html.matches("&lt;script&gt;").count(), 12);
        assert!(html.contains("left out: it is not one that herdbook draws"));
    }

    #[test]
    fn page_loads_and_runs_nothing() {
        let html = Page::new("x").to_html();
        assert!(html.contains("default-src 'none'"));
        for loading in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!html.contains(loading), "{loading}");
        }
    }
}
