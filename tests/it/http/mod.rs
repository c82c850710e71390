mod contract;
mod deliveries;
mod events;
mod faults;
mod faulty;
mod hooks;
mod panics;
mod resources;
mod signatures;
mod stream;

pub(crate) use self::signatures::signature;
