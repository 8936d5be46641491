//! An HTTP client of the SDK that goes over TCP to a server, a connection for each request: what is between the SDK's own and
//! the port, without TLS.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use fourfold_aws::{Router, Server};
use http::HeaderValue;
use http::header::HOST;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A client of a server that runs as long as the test's runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire(SocketAddr);

impl Wire {
    pub(crate) async fn new(router: Router) -> Self {
        let server = Server::bind("127.0.0.1:0", router).await.unwrap();
        let address = server.address();
        tokio::spawn(server.run(std::future::pending()));
        Self(address)
    }

    pub(crate) fn endpoint(self) -> String {
        format!("http://{}", self.0)
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let mut request = request.try_into_http1x()?;
        let host = HeaderValue::from_str(&self.0.to_string())?;
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        *request.uri_mut() = path;
        let socket = TcpStream::connect(self.0).await?;
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let answer = client.send_request(request).await?;
        Ok(HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))?)
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(*self)
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = *self;
        HttpConnectorFuture::new(async move {
            wire.send(request).await.map_err(|error| ConnectorError::other(error, None))
        })
    }
}
