// The real memory servers that `npm run test:servers` runs against, in exact versions. test/servers/NAME.test.ts uses the one of that name.
export const servers = [
  {
    name: 'memoric',
    from: 'pypi',
    packages: [
      'memoric==0.1.0',
      'fastapi==0.165.0',
      'starlette==1.10.0',
      'pydantic==2.14.3',
      'SQLAlchemy==2.1.9',
      'PyJWT==2.15.1',
      'passlib==1.7.4',
      'bcrypt==4.0.1', // passlib reads a version that later ones do not have
      'uvicorn==0.54.0',
      'email-validator==2.4.0',
      'prometheus_client==0.26.0',
    ],
  },
  { name: 'chroma', from: 'npm', packages: ['chromadb-js-bindings-linux-x64-gnu@1.0.3'] }, // 416 MB: long runs only
  {
    // The server, the bridge that gives it HTTP, and the official clients of both generations of the protocol.
    name: 'mcp-memory',
    from: 'npm',
    packages: [
      '@modelcontextprotocol/server-memory@2026.8.31',
      'mcp-proxy@6.7.19',
      '@modelcontextprotocol/sdk@1.32.2',
      '@modelcontextprotocol/client@2.4.0',
    ],
  },
];
