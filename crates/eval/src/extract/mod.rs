//! Letters out of responses, as each version of the public harnesses reads them.
