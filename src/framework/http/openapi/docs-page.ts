/** What the page is made of. */
export interface DocsPage {
  readonly title: string;
  /** Version of the assets; part of their address, so that they can be kept for ever. */
  readonly assetsVersion: string;
}

/**
 * The page itself. Addresses are relative: it also works behind a proxy that adds a prefix. No inline script or style,
 * nothing from another host.
 */
export function docsHtml({ title, assetsVersion }: DocsPage): string {
  const version = encodeURIComponent(assetsVersion);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png?v=${version}">
<link rel="stylesheet" href="docs/swagger-ui.css?v=${version}">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The description itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js?v=${version}" defer></script>
<script src="docs/init.js" defer></script>
</body>
</html>
`;
}

/** Starts the page. It asks no foreign validator and keeps no token. */
export const docsScript = `'use strict';
window.SwaggerUIBundle({
  dom_id: '#docs',
  url: 'openapi.json',
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

/**
 * What the page may do: scripts and calls of its own origin (and calls to the service, where that is another one),
 * the data images of Swagger UI's style sheet. Its styles are set by script, which needs no right of its own; only the
 * alignment of tables in descriptions is lost. `upgrade-insecure-requests` is left out, for it would break the page over plain HTTP.
 */
export function docsPolicy(serverUrl: string | undefined): string {
  const server = serverUrl !== undefined && URL.canParse(serverUrl) ? ` ${new URL(serverUrl).origin}` : '';
  return [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `img-src 'self' data:`,
    `connect-src 'self'${server}`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ].join('; ');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
