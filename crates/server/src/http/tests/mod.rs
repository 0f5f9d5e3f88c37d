//! The whole edge over a real store in a temporary directory, request by request.
