//! Questions to prompts, byte for byte as each version of the public harnesses writes them.
