//! What can be reached, and by whom: enumerated by asking the engine, never by a second model.

use std::sync::Arc;

use crate::{
    config::Config,
    policy::{Bundle, Engine},
};

/// A sound configuration with the engine that decides by it.
#[derive(Debug)]
pub struct Reach<'c> {
    config: &'c Config,
    engine: Engine,
}

impl<'c> Reach<'c> {
    /// Makes a configuration ready to be enumerated.
    ///
    /// # Errors
    /// When the engine refuses the bundle, in words.
    pub fn new(config: &'c Config, bundle: Arc<Bundle>) -> Result<Self, String> {
        Ok(Self { config, engine: Engine::new(bundle)? })
    }

    /// What the configuration means.
    #[must_use]
    pub const fn config(&self) -> &'c Config {
        self.config
    }

    /// The engine that is asked.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}
