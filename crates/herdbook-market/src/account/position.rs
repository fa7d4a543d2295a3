//! The three positions, which are also the three actions of the environment.

use serde::{Deserialize, Serialize};

/// What the account holds, or should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// The whole equity sold short.
    Short,
    /// Nothing.
    #[default]
    Flat,
    /// The whole equity invested.
    Long,
}

impl Position {
    /// All positions, by action number.
    pub const ALL: [Self; 3] = [Self::Short, Self::Flat, Self::Long];

    /// The position an action asks for: 0 short, 1 flat, 2 long.
    pub const fn from_action(action: usize) -> Option<Self> {
        match action {
            0 => Some(Self::Short),
            1 => Some(Self::Flat),
            2 => Some(Self::Long),
            _ => None,
        }
    }

    /// The action that asks for the position.
    pub const fn action(self) -> usize {
        self as usize
    }

    /// -1, 0 or 1.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Short => -1.0,
            Self::Flat => 0.0,
            Self::Long => 1.0,
        }
    }

    /// Spelling in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Flat => "flat",
            Self::Long => "long",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_positions_are_one_to_one() {
        for position in Position::ALL {
            assert_eq!(Position::from_action(position.action()), Some(position));
        }
        assert_eq!(Position::from_action(3), None);
    }
}
