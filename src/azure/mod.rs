//! What Azure DevOps says, and how we ask it.

pub mod client;
pub mod envelope;
pub mod guid;
pub mod lenient;
pub mod notification;
mod repository_url;
pub mod resource;
mod surrogate;
pub mod time;
mod url;
pub(crate) mod whose;

pub use self::{
    repository_url::RepositoryUrl,
    url::{CollectionUrl, Given as GivenUrl, UrlError},
};
