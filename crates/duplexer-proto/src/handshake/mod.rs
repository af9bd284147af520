//! The opening handshake (RFC 6455 §4) over HTTP/1.1: heads to and from bytes, the rules that
//! requests and responses obey, keys, and the negotiation of extensions. Opens no connection; the
//! phases above do.

mod body;
mod fields;
mod head;
mod key;
mod negotiate;
mod request;
mod response;
mod token;
mod upgrade;

pub(crate) use body::BodyReader;
pub use head::HeadError;
pub(crate) use head::{
    HeadReader, Side, parse_request, parse_response, write_request, write_response,
};
pub use key::{Key, KeyError};
pub use negotiate::{Agreed, ExtensionFault};
pub(crate) use negotiate::{answer_offers, make_offers};
pub use request::{Request, RequestError};
pub use response::ResponseFault;
pub(crate) use response::{Expected, check_response};
pub(crate) use token::{has_element, is_token};
pub(crate) use upgrade::{find_reserved, make_request, make_response, write_answer};
