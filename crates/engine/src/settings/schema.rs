//! Every setting's names: the one list. Flags, requests, manifests, index keys and receipts are made from it or held to it.

/// Where a setting stands in one of the places that settings pass through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under this name.
    At(&'static str),
    /// Nowhere, and why it need not.
    Absent(&'static str),
}

impl Place {
    /// The name, where there is one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::At(name) => Some(name),
            Self::Absent(_) => None,
        }
    }
}

/// The names of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// Where it is told to nobody in particular.
    pub key: &'static str,
    /// On the command line.
    pub flag: Place,
    /// In a request to the server.
    pub json: Place,
    /// In a benchmark's manifest, below `pinned.settings`.
    pub manifest: Place,
    /// In the key of an index entry: the kind of entry, and the field of its description that the setting decides.
    pub index: Place,
    /// In a receipt, as a JSON pointer.
    pub receipt: Place,
}

/// A row for each setting. A setting without a row, or a row without one of its places, does not compile.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $flag:expr, $json:expr, $manifest:expr, $index:expr, $receipt:expr;)*) => {
        /// What can be set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Setting {
            $($(#[$doc])* $name,)*
        }

        impl Setting {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its names.
            pub const fn names(self) -> Names {
                match self {
                    $(Self::$name => Names {
                        key: $key, flag: $flag, json: $json, manifest: $manifest, index: $index, receipt: $receipt,
                    },)*
                }
            }
        }
    };
}

impl Setting {
    /// Its name where it is told to nobody in particular.
    pub const fn key(self) -> &'static str {
        self.names().key
    }

    /// Its name on the command line; its key where it has no flag.
    pub const fn flag(self) -> &'static str {
        match self.names().flag {
            Place::At(flag) => flag,
            Place::Absent(_) => self.names().key,
        }
    }
}

use Place::{Absent, At};

const BENCHMARK: Place = Absent("a benchmark prescribes it, and its flag is refused there");
const SAMPLE: Place = Absent("part of a sample, which the manifest's samples_digest covers");
const IN_FRAMES: Place = Absent("the manifest's own field `frames` says it in words");
const ANSWER: Place = Absent("decides what follows the video, which the index does not hold");
const NO_BIT: Place = Absent("changes no bit of what an entry holds");
const OPERATOR: Place = Absent("the server's operator decides it");
const FOR_BENCHMARKS: Place = Absent("for benchmarks, whose prompts are prescribed");
const PROGRAM: Place = Absent("of the process, not of a run");
const OF_MODEL: Place = Absent("the manifest's own fields `model_digest` and `dtype` hold it");
const DEVICE: Place = Absent("the manifest's environment holds it");
const IN_REQUESTED: Place = At("/video/requested");
const IN_FRAME_INDICES: Place = At("embeddings.frame_indices");
const EVIDENCE: Place = Absent("the answer's evidence tells it, next to the receipt");

settings! {
    /// How many frames, evenly spaced.
    Frames = "frames", At("--frames"), At("longsight.frames"), IN_FRAMES, IN_FRAME_INDICES, IN_REQUESTED;
    /// Frames a second.
    Fps = "fps", At("--fps"), At("longsight.fps"), IN_FRAMES, IN_FRAME_INDICES, IN_REQUESTED;
    /// Most frames at that rate.
    MaxFrames = "max_frames", At("--max-frames"), At("longsight.max_frames"), IN_FRAMES, IN_FRAME_INDICES, IN_REQUESTED;
    /// Where the clip begins.
    From = "from", At("--from"), At("longsight.from"), BENCHMARK, IN_FRAME_INDICES, IN_REQUESTED;
    /// Where it ends.
    To = "to", At("--to"), At("longsight.to"), BENCHMARK, IN_FRAME_INDICES, IN_REQUESTED;
    /// Images a second of a folder of images.
    ImageFps = "image_fps", At("--image-fps"), OPERATOR, Absent("a benchmark's videos are files"),
        At("kv.before_ids"), At("/frames/0/time_secs");
    /// How pictures become RGB.
    Colour = "colour", At("--colour"), OPERATOR, At("colour"), At("embeddings.colour"), At("/video/colour");
    /// Whether ffmpeg may open URLs.
    AllowUrl = "allow_url", At("--allow-url"), Absent("the server fetches itself, from hosts that its operator allows"),
        BENCHMARK, Absent("a URL is not indexed"), Absent("the video's name tells it");
    /// Subtitles before the question.
    Subtitles = "subtitles", At("--subtitles"), OPERATOR, SAMPLE, ANSWER, At("/video/subtitle_cues");
    /// The encoding of a subtitle file.
    SubtitleEncoding = "subtitle_encoding", At("--subtitle-encoding"), OPERATOR, SAMPLE, ANSWER,
        At("/video/subtitles/encoding");
    /// Threads.
    Threads = "threads", At("--threads"), PROGRAM, Absent("the manifest's environment holds it"), NO_BIT, At("/threads");
    /// The context method.
    Context = "context", At("--context"), At("longsight.context"), At("context"), At("kv.context"), At("/context/method");
    /// s.
    Scale = "scale", At("--scale"), At("longsight.scale"), At("scale"), At("kv.scale"), At("/context/scale");
    /// The visual window.
    VisualWindow = "visual_window_tokens", At("--visual-window"), OPERATOR, At("visual_window_tokens"),
        At("kv.inv_freq"), At("/context/window_source");
    /// The language window.
    LanguageWindow = "language_window_tokens", At("--language-window"), OPERATOR, At("language_window_tokens"),
        At("kv.inv_freq"), At("/context/window_source");
    /// Whether cos and sin are scaled.
    AttentionFactor = "attention_factor", At("--attention-factor"), OPERATOR, At("attention_factor"),
        At("kv.attention_factor"), At("/context/attention_factor_on");
    /// Lower end of the ramp.
    Alpha = "alpha", At("--alpha"), OPERATOR, At("alpha"), At("kv.inv_freq"), At("/context/alpha");
    /// Upper end of the ramp.
    Beta = "beta", At("--beta"), OPERATOR, At("beta"), At("kv.inv_freq"), At("/context/beta");
    /// Form of the ramp.
    Ramp = "ramp", Absent("for callers of the library: papers differ in it, checkpoints do not"), OPERATOR, At("ramp"),
        At("kv.inv_freq"), At("/context/ramp");
    /// Pooling.
    Pool = "pool", At("--pool"), At("longsight.pool"), At("pool"), At("embeddings.strides"), At("/pool/spec");
    /// Near-duplicate frames.
    Dedupe = "dedupe", At("--dedupe"), At("longsight.dedupe"), At("dedupe"), At("embeddings.dedupe"),
        At("/dedupe/setting");
    /// Chat template.
    Template = "template", At("--template"), OPERATOR, At("template"), At("kv.before_ids"), At("/template");
    /// The system turn.
    System = "system", FOR_BENCHMARKS, At("messages"), SAMPLE, At("kv.before_ids"), At("/prompt/system");
    /// What an answer begins with.
    AnswerPrefix = "answer_prefix", FOR_BENCHMARKS, FOR_BENCHMARKS, SAMPLE, ANSWER, At("/prompt/answer_prefix");
    /// Whether the family's own words are left out.
    NoTimeInstruction = "no_time_instruction", FOR_BENCHMARKS, FOR_BENCHMARKS, SAMPLE, ANSWER,
        At("/prompt/no_time_instruction");
    /// Texts between still images.
    Interleaved = "interleaved", FOR_BENCHMARKS, FOR_BENCHMARKS, SAMPLE, At("kv.between_ids"), At("/prompt/interleaved");
    /// Longest answer.
    MaxNewTokens = "max_new_tokens", At("--max-new-tokens"), At("max_tokens"), At("generation.max_new_tokens"), ANSWER,
        At("/generation/max_new_tokens");
    /// Temperature of the draws.
    Temperature = "temperature", At("--temperature"), At("temperature"), At("generation.temperature"), ANSWER,
        At("/generation/temperature");
    /// Probability that is drawn from.
    TopP = "top_p", At("--top-p"), At("top_p"), At("generation.top_p"), ANSWER, At("/generation/top_p");
    /// Seed of the draws.
    Seed = "seed", At("--seed"), At("seed"), At("generation.seed"), ANSWER, At("/generation/seed");
    /// Penalty on repetition.
    RepetitionPenalty = "repetition_penalty", At("--repetition-penalty"), OPERATOR, At("generation.repetition_penalty"),
        ANSWER, At("/generation/repetition_penalty");
    /// Whether end tokens are ignored.
    IgnoreEos = "ignore_eos", At("--ignore-eos"), OPERATOR, At("generation.ignore_eos"), ANSWER,
        At("/generation/ignore_eos");
    /// Log-probabilities that are reported.
    Logprobs = "logprobs", At("--logprobs"), Absent("refused: the API's own `logprobs` means every token's"), BENCHMARK,
        ANSWER, Absent("the answer holds them");
    /// Whether evidence is found.
    Evidence = "evidence", At("--evidence"), At("longsight.evidence"), Absent("changes no answer"),
        At("neutral.prefix"), EVIDENCE;
    /// Most moments of evidence.
    Moments = "moments", At("--moments"), At("longsight.moments"), Absent("changes no answer"), NO_BIT, EVIDENCE;
    /// Heads that evidence is found with.
    EvidenceHeads = "evidence_heads", At("--evidence-heads"), OPERATOR, Absent("changes no answer"),
        At("neutral.heads"), EVIDENCE;
    /// How attention becomes scores.
    Reduction = "reduction", Absent("for comparison, by `eval evidence`"), OPERATOR, Absent("changes no answer"), NO_BIT,
        EVIDENCE;
    /// Tokens a prefill step.
    ChunkTokens = "chunk_tokens", At("--chunk-tokens"), OPERATOR, At("chunk_tokens"), At("kv.chunk_tokens"),
        At("/engine/chunk_tokens");
    /// Frames a pass of the tower.
    EncodeBatch = "encode_batch_frames", At("--encode-batch"), OPERATOR, At("encode_batch_frames"), NO_BIT,
        At("/engine/encode_batch_frames");
    /// Room for later turns.
    SpareTokens = "spare_tokens", At("--chat-tokens"), Absent("a request brings its turns along"),
        Absent("a benchmark's questions are asked apart"), NO_BIT, At("/engine/spare_tokens");
    /// How the KV cache is stored.
    KvDtype = "kv_dtype", At("--kv-dtype"), OPERATOR, At("kv_dtype"), At("kv.kv_dtype"), At("/kv_cache/dtype");
    /// Most memory.
    Memory = "memory", At("--memory"), OPERATOR, Absent("refuses a run, or leaves it as it is"), NO_BIT,
        Absent("refuses a run, or leaves it as it is");
    /// Dtype of the language model's weights.
    Dtype = "dtype", At("--dtype"), OPERATOR, OF_MODEL, At("kv.dtype"), At("/model/dtype");
    /// Dtype of the vision tower's weights.
    VisionDtype = "vision_dtype", At("--vision-dtype"), OPERATOR, OF_MODEL, At("embeddings.vision_dtype"),
        At("/model/vision_dtype");
    /// Where it is computed.
    Device = "device", At("--device"), OPERATOR, DEVICE, At("embeddings.program"), At("/model/device");
    /// What is kept in the index.
    Index = "index", At("--index"), OPERATOR, Absent("benchmarks use none"), NO_BIT, At("/index/kv_prefix");
    /// Folder of the index.
    IndexDir = "index_dir", At("--index-dir"), OPERATOR, Absent("benchmarks use none"), NO_BIT, PROGRAM;
    /// Most bytes of the index.
    IndexSize = "index_size", At("--index-size"), OPERATOR, Absent("benchmarks use none"), NO_BIT, PROGRAM;
    /// Whether there is no index.
    NoIndex = "no_index", At("--no-index"), OPERATOR, Absent("benchmarks use none"), NO_BIT, PROGRAM;
}
