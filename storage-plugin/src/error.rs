//! What can go wrong while reading, once for all doors.

use kausal_store::StoreError;
use serde::{Deserialize, Serialize};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing is recorded of what was asked for.
    #[error("{message}")]
    NotFound {
        /// What is not there.
        message: String,
        /// What to try instead; may be empty.
        hint: String,
    },
    /// Several objects answer to what was typed.
    #[error("{message}")]
    Ambiguous {
        /// What is ambiguous.
        message: String,
        /// What would settle it, with the candidates.
        hint: String,
    },
    /// The question itself is wrong.
    #[error("{message}")]
    Invalid {
        /// What is wrong with it.
        message: String,
        /// What would be right; may be empty.
        hint: String,
    },
    /// The reader waits no longer: the client left, or the process stops.
    #[error("the read was given up, nobody waits for it")]
    Abandoned,
    /// The reader itself failed; its log says more.
    #[error("the read failed")]
    Failed,
    /// The store failed.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
}

impl ReadError {
    /// A [`ReadError::NotFound`].
    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotFound { message: message.into(), hint: hint.into() }
    }

    /// A [`ReadError::Invalid`].
    pub fn invalid(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), hint: hint.into() }
    }

    /// One word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Invalid { .. } => "invalid",
            Self::Abandoned => "abandoned",
            Self::Failed => "internal",
            Self::Store(_) => "unavailable",
        }
    }

    /// What to do about it; may be empty.
    pub fn hint(&self) -> &str {
        match self {
            Self::NotFound { hint, .. }
            | Self::Ambiguous { hint, .. }
            | Self::Invalid { hint, .. } => hint,
            Self::Abandoned | Self::Failed | Self::Store(_) => "",
        }
    }

    /// What is wrong and what to do about it, for those who have room for one text.
    pub fn sentence(&self) -> String {
        match self.hint() {
            "" => self.to_string(),
            hint => format!("{self} ({hint})"),
        }
    }

    /// The form in which it travels.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                code: self.code().to_owned(),
                message: self.to_string(),
                hint: self.hint().to_owned(),
            },
        }
    }
}

/// `{"error":{code,message,hint}}`: every error of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// See [`ErrorBody`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// One word: `not_found`, `ambiguous`, `invalid`, `abandoned`, `internal`, `unavailable`;
    /// `unauthenticated` and `forbidden` at a door that asks who somebody is.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    #[serde(default)]
    pub hint: String,
}
