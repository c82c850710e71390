mod contract;
mod events;
mod hooks;
mod resources;
mod stream;
