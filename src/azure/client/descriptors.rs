//! Whether this process, or the machine, has no file descriptor left: what fails for that is no fault of a setting or of
//! the other side, and passes.
//!
//! Source: open(2), EMFILE and ENFILE.

use rustix::io::Errno;
use std::{error::Error, fs::File, io};

/// The text that a user reads then.
pub(crate) const USED_UP: &str = "the gateway has no file descriptor left (too many open files); raise its limit (ulimit -n, \
    LimitNOFILE= of systemd) or lower --connections-max";

/// Whether it comes of that. Who only says that it failed, and not why, failed for that if there is none left now either.
pub(crate) fn used_up(error: Option<&(dyn Error + 'static)>) -> bool {
    let mut error = error;
    while let Some(one) = error {
        let io = one.downcast_ref::<io::Error>();
        if io.is_some_and(is_it) {
            return true;
        }
        // An I/O error that wraps another one does not name it as its source.
        error = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => one.source(),
        };
    }
    File::open("/dev/null").is_err_and(|error| is_it(&error))
}

fn is_it(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::MFILE.raw_os_error()) || code == Some(Errno::NFILE.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_system_say_so_also_within_other_errors() {
        let of = |code: Errno| io::Error::from_raw_os_error(code.raw_os_error());
        for (code, expected) in [(Errno::MFILE, true), (Errno::NFILE, true), (Errno::NOENT, false)] {
            assert_eq!(used_up(Some(&of(code))), expected);
            assert_eq!(used_up(Some(&io::Error::other(of(code)))), expected, "within another");
        }
        assert!(!used_up(None));
    }
}
