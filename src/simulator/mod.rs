//! The simulated Azure DevOps. So far it speaks: real-shaped notifications of one small organization, each new.

mod organization;

pub use self::organization::{Delivery, Organization};
