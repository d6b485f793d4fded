# Waltrail for servers, without embedded PostgreSQL and sample. Environment variables configure it: see docs/install.md.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The build needs the development dependencies. The embedded PostgreSQL and install scripts are left out.
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY sql ./sql
COPY config ./config
RUN npm run build && rm -rf node_modules/.cache && npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:20-bookworm-slim
ENV NODE_ENV=production \
    WALTRAIL_HOST=0.0.0.0 \
    WALTRAIL_PORT=8080 \
    WALTRAIL_DATA_DIR=/var/lib/waltrail
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/package.json ./
COPY --from=build /app/sql ./sql
COPY --from=build /app/config ./config
RUN install -d -o node -g node -m 0700 /var/lib/waltrail
USER node
VOLUME /var/lib/waltrail
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WALTRAIL_PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/cli.js"]
CMD ["start"]
