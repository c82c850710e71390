mod contract;
mod events;
mod faults;
mod faulty;
mod hooks;
mod resources;
mod stream;
