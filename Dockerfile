# The reference service. Secrets and addresses come from the environment at run time, never into a layer.
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS build
WORKDIR /app
# Packages first: this layer is made anew only when the lock file changes.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --loglevel=error
COPY . .
RUN node scripts/run.mjs build
RUN node scripts/production-dependencies.mjs && npm prune --omit=dev --omit=optional --loglevel=error

FROM ${BASE}
ENV NODE_ENV=production ROOKERY_ENV=production
WORKDIR /app
# Owned by root: the service cannot change its own code. Only its data folder is its own.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/config config
RUN install -d -o node -g node .data
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 8080}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Exec form: node is process 1 and gets SIGTERM itself.
ENTRYPOINT ["node", "--disable-sigusr1", "dist/main.js"]
