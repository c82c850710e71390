mod checks;
mod connections;
mod contract;
mod deliveries;
mod discovery;
mod events;
mod faults;
pub(crate) mod faulty;
mod hooks;
mod panics;
mod replay;
mod resources;
mod scripted;
mod signatures;
mod simulated;
mod stream;

pub(crate) use self::signatures::signature;
