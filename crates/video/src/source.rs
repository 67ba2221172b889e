use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::{Result, VideoError};

/// Containers and raw streams that a local file may be. Formats that refer to further files or hosts (hls, dash,
/// concat, imf, sdp, image2, ...) are left out, so that a file cannot make ffmpeg open another one.
const LOCAL_FORMATS: &str = "3dostr,4xm,amv,apng,asf,asf_o,av1,avi,avr,avs,avs2,avs3,bethsoftvid,bfi,bink,c93,\
cavsvideo,cdxl,cine,dhav,dirac,dnxhd,dv,dxa,ea,evc,ffv1,film_cpk,filmstrip,flic,flv,frm,gif,gxf,h261,h263,h264,hevc,\
hnm,idcin,ifv,ingenient,ipmovie,ipu,iss,iv8,ivf,ivr,jv,kux,live_flv,lmlm4,lvf,lxf,m4v,matroska,webm,mgsts,mjpeg,\
mjpeg_2000,mlv,mm,moflex,mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mpegtsraw,mpegvideo,mpjpeg,mtv,mv,mvi,mxf,mxg,nc,\
nsv,nut,nuv,obu,ogg,paf,pmp,psxstr,pva,r3d,rl2,rm,roq,rpl,sdr2,ser,sga,siff,smjpeg,smk,smush,swf,thp,\
tiertexseq,tmv,ty,vc1,vc1test,vivo,vmd,vvc,wc3movie,wsvqa,wtv,wv,xmv,yop,yuv4mpegpipe,\
aac,ac3,aiff,amr,ape,au,caf,dts,eac3,flac,mp3,mpc,tta,truehd,w64,wav";

/// Protocols that ffmpeg may use for a URL. `file` is not one of them: a remote playlist cannot read local files.
const URL_PROTOCOLS: &str = "http,https,httpproxy,tcp,tls,udp,udplite,rtp,srtp,rtsp,rtmp,rtmpe,rtmps,rtmpt,rtmpte,\
rtmpts,ftp,srt,mmsh,mmst,crypto,data";

/// Where the frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoSource {
    /// A video file.
    File(PathBuf),
    /// A URL that ffmpeg reads; made only when the user allowed it.
    Url(String),
    /// A folder of images: pre-sampled frames, in natural order of their names.
    Images(PathBuf),
}

impl VideoSource {
    /// What the user typed: an existing folder is images, `scheme://...` a URL, anything else a file.
    ///
    /// # Errors
    /// [`VideoError::UrlNotAllowed`] for a URL without `allow_url`. Whether a file exists is for the probe to say.
    pub fn parse(text: &str, allow_url: bool) -> Result<Self> {
        if let Some(path) = text.strip_prefix("file://") {
            return Ok(Self::from_path(Path::new(path)));
        }
        match url_scheme(text) {
            Some(_) if allow_url => Ok(Self::Url(text.to_owned())),
            Some(_) => Err(VideoError::UrlNotAllowed { url: without_credentials(text) }),
            None => Ok(Self::from_path(Path::new(text))),
        }
    }

    /// A local path: a folder is images, anything else a file.
    pub fn from_path(path: &Path) -> Self {
        if path.is_dir() { Self::Images(path.to_owned()) } else { Self::File(path.to_owned()) }
    }

    /// The path or URL for people; a user name and password in a URL are left out.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Images(path) => path.display().to_string(),
            Self::Url(url) => without_credentials(url),
        }
    }

    /// The local file or folder.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Images(path) => Some(path),
            Self::Url(_) => None,
        }
    }

    /// `ffmpeg` input options and the input itself, as whole arguments.
    pub(crate) fn input_args(&self) -> Vec<OsString> {
        match self {
            Self::File(path) | Self::Images(path) => {
                let mut input = OsString::from("file:");
                input.push(path);
                let mut args: Vec<OsString> =
                    ["-protocol_whitelist", "file,pipe", "-format_whitelist", LOCAL_FORMATS, "-i"]
                        .map(OsString::from)
                        .into();
                args.push(input);
                args
            }
            Self::Url(url) => {
                ["-protocol_whitelist", URL_PROTOCOLS, "-i", url.as_str()].map(OsString::from).into()
            }
        }
    }
}

impl Serialize for VideoSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

fn url_scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(allowed))
        .then_some(scheme)
}

fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_needs_permission_and_the_message_names_the_flag() {
        for url in ["http://a/b.mp4", "https://a", "rtsp://cam/1", "srt://x:1", "HTTP://A"] {
            let error = VideoSource::parse(url, false).unwrap_err().to_string();
            assert!(error.contains("--allow-url"), "{error}");
            assert_eq!(VideoSource::parse(url, true).unwrap(), VideoSource::Url(url.to_owned()));
        }
    }

    #[test]
    fn odd_paths_are_files() {
        for path in ["-rf.mp4", "a:b.mp4", "concat:a|b", "1://x", "dir/x y.mp4", "pipe:0", "é://x"] {
            assert_eq!(VideoSource::parse(path, false).unwrap(), VideoSource::File(path.into()), "{path}");
        }
        assert_eq!(VideoSource::parse("file:///a/b", false).unwrap(), VideoSource::File("/a/b".into()));
    }

    #[test]
    fn a_password_is_never_shown() {
        let source = VideoSource::parse("https://me:secret@host:8/v.mp4?a=@", true).unwrap();
        assert_eq!(source.name(), "https://host:8/v.mp4?a=@");
        let error = VideoSource::parse("ftp://me:secret@host/v", false).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
