import { join } from 'node:path';

export interface Place {
  /** For whatever the server writes; removed with it. */
  readonly dir: string;
  /** Where it listens: a socket in the file system, or a port of 127.0.0.1. */
  readonly listen: string;
  /** Port of the responder that its reading is passed to. */
  readonly responder: number;
}

/** `X-Garden-Path` tells the path as the server understands it, decoded and normalised; the other lines keep its reading whole. */
export const nginxConfig = ({ dir, listen, responder }: Place): string => `
daemon off;
master_process off;
pid ${join(dir, 'pid')};
events { worker_connections 4096; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(dir, name)};`).join('\n  ')}
  underscores_in_headers on;
  ignore_invalid_headers off;
  large_client_header_buffers 8 64k;
  client_max_body_size 8m;
  keepalive_requests 1000000;
  keepalive_timeout 300s;
  upstream responder { server 127.0.0.1:${responder}; keepalive 128; }
  server {
    listen unix:${listen};
    location / {
      proxy_pass http://responder;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header X-Garden-Path $uri;
    }
  }
}
`;

export const haproxyConfig = ({ listen, responder }: Place): string => `
global
  nbthread 1
  maxconn 4000
  tune.bufsize 65536
  tune.http.maxhdr 1000
defaults
  mode http
  timeout client 300s
  timeout server 60s
  timeout connect 5s
frontend garden
  bind unix@${listen}
  http-request set-header X-Garden-Path %[path,url_dec]
  default_backend responder
backend responder
  http-reuse always
  server responder 127.0.0.1:${responder}
`;

/** @param asUser further lines when root starts it: it serves nothing as root */
export const apacheConfig = ({ dir, listen, responder }: Place, modules: string, asUser: string): string => `
ServerRoot ${dir}
ServerName localhost
Listen 127.0.0.1:${listen}
PidFile ${join(dir, 'pid')}
DefaultRuntimeDir ${dir}
ErrorLog ${join(dir, 'errors')}
LogLevel error
${['mpm_event', 'proxy', 'proxy_http', 'headers', 'authz_core'].map((name) => `LoadModule ${name}_module ${join(modules, `mod_${name}.so`)}`).join('\n')}
${asUser}
ServerLimit 1
StartServers 1
ThreadsPerChild 128
MaxRequestWorkers 128
MaxKeepAliveRequests 0
KeepAliveTimeout 300
Timeout 60
LimitRequestLine 65536
LimitRequestFieldSize 65536
LimitRequestFields 0
ProxyPreserveHost On
ProxyAddHeaders Off
RequestHeader set X-Garden-Path "expr=%{REQUEST_URI}"
RequestHeader set X-Garden-Line "expr=%{THE_REQUEST}"
ProxyPass / http://127.0.0.1:${responder}/ nocanon
`;
