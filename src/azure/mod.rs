//! What Azure DevOps says.

pub mod envelope;
pub mod lenient;
mod url;

pub use self::url::{CollectionUrl, UrlError};
