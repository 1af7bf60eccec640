//! The service: files of one folder, over gRPC. It knows of no guard.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use self::proto::files_server::Files;
use self::proto::{
    Chunk, DeleteFileRequest, DeleteFileResponse, DownloadRequest, ListFilesRequest,
    ListFilesResponse,
};

/// The types of `proto/files.proto` in Rust.
#[allow(unreachable_pub, clippy::too_many_lines, reason = "generated")]
pub(crate) mod proto {
    tonic::include_proto!("files.v1");
}

/// The number of bytes of a file that are sent at a time.
const CHUNK: usize = 16;

/// The files of a folder, sent as slowly as `pace` says.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    pace: Duration,
}

impl Folder {
    pub(crate) fn new(path: &Path, pace: Duration) -> Self {
        Self { path: path.to_owned(), pace }
    }

    pub(crate) fn holds(&self, name: &str) -> bool {
        self.path_of(name).is_ok_and(|path| path.is_file())
    }

    /// Returns the path of a file in the folder. A guard says who may call; that `../..` leads out
    /// of the folder is still for us to refuse.
    fn path_of(&self, name: &str) -> Result<PathBuf, Status> {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(Status::invalid_argument(format!("{name:?} is no plain name of a file")));
        }
        Ok(self.path.join(name))
    }
}

fn status(error: io::Error) -> Status {
    match error.kind() {
        io::ErrorKind::NotFound => Status::not_found("there is no such file"),
        _ => Status::internal(error.to_string()),
    }
}

#[tonic::async_trait]
impl Files for Folder {
    type DownloadStream = ReceiverStream<Result<Chunk, Status>>;

    async fn list_files(
        &self,
        _request: Request<ListFilesRequest>,
    ) -> Result<Response<ListFilesResponse>, Status> {
        let mut names = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.path).await.map_err(status)?;
        while let Some(entry) = entries.next_entry().await.map_err(status)? {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(Response::new(ListFilesResponse { names }))
    }

    async fn download(
        &self,
        request: Request<DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let path = self.path_of(&request.get_ref().name)?;
        let data = tokio::fs::read(path).await.map_err(status)?;
        let (chunks, receiver) = mpsc::channel(1);
        let pace = self.pace;
        tokio::spawn(async move {
            for chunk in data.chunks(CHUNK) {
                // Nobody reads it any more: the caller is gone.
                if chunks.send(Ok(Chunk { data: chunk.to_vec() })).await.is_err() {
                    return;
                }
                tokio::time::sleep(pace).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn delete_file(
        &self,
        request: Request<DeleteFileRequest>,
    ) -> Result<Response<DeleteFileResponse>, Status> {
        let path = self.path_of(&request.get_ref().name)?;
        tokio::fs::remove_file(path).await.map_err(status)?;
        Ok(Response::new(DeleteFileResponse {}))
    }
}
