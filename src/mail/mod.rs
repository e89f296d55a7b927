//! What every part speaks of. Imports nothing of ours.

mod beginning;
mod copied;
mod date;
mod envelope;
mod fingerprint;
mod flags;
mod folder;
mod key;
mod line_ends;
mod marks;
mod role;
mod side;
mod subject;
mod utf7;

pub use beginning::Beginning;
pub use copied::{CopyDigester, Original, TUID_OCTETS};
pub use date::arrival_date;
pub use envelope::Envelope;
pub use fingerprint::{Content, Digest, Digester, Fingerprint, HEADER_LIMIT, HeaderScan};
pub use flags::Flags;
pub use folder::{FolderName, FolderPattern};
pub use key::Key;
pub use line_ends::{ToCrlf, ToLf};
pub use marks::{Change, Keyword, Marks};
pub use role::Role;
pub use side::{Side, Sides};
pub use subject::subject;
pub use utf7::{decode_utf7, encode_utf7};
