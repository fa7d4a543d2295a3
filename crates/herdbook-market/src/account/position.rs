//! The three positions of an account, which are also the three actions of the environment.

use serde::{Deserialize, Serialize};

/// A position that an account holds or should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// The whole equity sold short.
    Short,
    /// No position.
    #[default]
    Flat,
    /// The whole equity invested.
    Long,
}

impl Position {
    /// All positions, by action number.
    pub const ALL: [Self; 3] = [Self::Short, Self::Flat, Self::Long];

    /// The target position of an action: 0 is short, 1 flat, 2 long; `None` for other numbers.
    pub const fn from_action(action: usize) -> Option<Self> {
        match action {
            0 => Some(Self::Short),
            1 => Some(Self::Flat),
            2 => Some(Self::Long),
            _ => None,
        }
    }

    /// The number of the action with this target position.
    pub const fn action(self) -> usize {
        self as usize
    }

    /// -1 for short, 0 for flat, 1 for long.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Short => -1.0,
            Self::Flat => 0.0,
            Self::Long => 1.0,
        }
    }

    /// The spelling in reports.
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
