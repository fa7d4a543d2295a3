//! The text of a command's data: plain text, coloured words, and tables that fit the screen.

use unicode_width::UnicodeWidthStr;

use crate::paint::{Meaning, painted};
use crate::screen::Screen;
use crate::table::{Columns, LeftOut};
use crate::terminal;

/// A text that is laid out for a screen.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Painted(String, Option<Meaning>),
    Table(Columns),
    Line(Line),
}

/// A line of words that may leave some out.
#[derive(Debug, Default)]
pub(crate) struct Line {
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    text: String,
    meaning: Option<Meaning>,
    /// Order in which words are left out, the greatest first. Words with 0 always stay.
    dispensable: u8,
    /// What is left out, as a note names it.
    what: &'static str,
}

impl Shown {
    #[must_use]
    pub(crate) fn and(mut self, other: impl Into<Self>) -> Self {
        self.parts.extend(other.into().parts);
        self
    }

    /// Adds a text in the colour of a meaning.
    #[must_use]
    pub(crate) fn painted(mut self, text: impl Into<String>, meaning: Option<Meaning>) -> Self {
        self.parts.push(Part::Painted(text.into(), meaning));
        self
    }

    /// The text as a screen can show it, and what was left out.
    pub(crate) fn render(&self, screen: Screen) -> (String, LeftOut) {
        let (mut text, mut left_out) = (String::new(), LeftOut::default());
        for part in &self.parts {
            match part {
                Part::Text(part) => text += &terminal::printable(part),
                Part::Painted(part, meaning) => {
                    text += &painted(&terminal::printable(part), *meaning, screen.has_colours);
                }
                Part::Table(table) => {
                    let (part, less) = table.render(screen);
                    text += &part;
                    left_out.add(less);
                }
                Part::Line(line) => line.write(screen, &mut text, &mut left_out),
            }
        }
        (text, left_out)
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Columns> for Shown {
    fn from(table: Columns) -> Self {
        Self { parts: vec![Part::Table(table)] }
    }
}

impl From<Line> for Shown {
    fn from(line: Line) -> Self {
        Self { parts: vec![Part::Line(line)] }
    }
}

impl Line {
    /// Adds a text that always stays.
    pub(crate) fn push(&mut self, text: impl AsRef<str>, meaning: Option<Meaning>) {
        self.push_dispensable(text, meaning, (0, ""));
    }

    /// Adds a text that may be left out: the order, of which the greatest goes first, and what it is.
    pub(crate) fn push_dispensable(
        &mut self,
        text: impl AsRef<str>,
        meaning: Option<Meaning>,
        (dispensable, what): (u8, &'static str),
    ) {
        let text = terminal::one_line(text.as_ref());
        self.words.push(Word { text, meaning, dispensable, what });
    }

    fn write(&self, screen: Screen, text: &mut String, left_out: &mut LeftOut) {
        let mut words: Vec<&Word> = self.words.iter().collect();
        let limit = screen.width.unwrap_or(usize::MAX);
        while words.iter().map(|word| word.text.width()).sum::<usize>() > limit {
            let least = words.iter().map(|word| word.dispensable).max().unwrap_or(0);
            if least == 0 {
                break;
            }
            words.retain(|word| {
                let stays = word.dispensable != least;
                if !stays && !left_out.columns.iter().any(|what| what == word.what) {
                    left_out.columns.push(word.what.to_owned());
                }
                stays
            });
        }
        for word in words {
            *text += &painted(&word.text, word.meaning, screen.has_colours);
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_leaves_out_words_until_it_fits() {
        let mut line = Line::default();
        line.push("model 1", None);
        line.push_dispensable(" · 100 steps", None, (2, "timesteps"));
        line.push_dispensable(" · base", None, (1, "type"));
        line.push(" · champion", Some(Meaning::Champion));
        let shown = Shown::from(line);
        let at = |width| shown.render(Screen { width: Some(width), has_colours: false });
        assert_eq!(at(80).0, "model 1 · 100 steps · base · champion\n");
        let (text, left_out) = at(30);
        assert_eq!(
            (text.as_str(), left_out.columns),
            ("model 1 · base · champion\n", vec!["timesteps".to_owned()])
        );
        assert_eq!(at(5).0, "model 1 · champion\n");
    }

    #[test]
    fn text_from_outside_cannot_bring_colours() {
        let shown = Shown::from("a\u{1b}[31m\n").painted("b\u{1b}[0m", Some(Meaning::Good));
        let (text, _) = shown.render(Screen { width: None, has_colours: true });
        assert_eq!(text, "a\\u{1b}[31m\n\u{1b}[32mb\\u{1b}[0m\u{1b}[0m");
    }
}
