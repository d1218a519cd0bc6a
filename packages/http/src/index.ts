export {
  createHttpClient,
  type HttpClient,
  type HttpClientSettings,
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
} from './http-client.ts';
export { trustedCaPem } from './trusted-ca.ts';
