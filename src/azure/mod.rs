//! What Azure DevOps says.

pub mod envelope;
mod url;

pub use self::url::{CollectionUrl, UrlError};
