//! One Parquet file: what people filter by in columns of its own, the whole event as JSON.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use events::Event;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

/// The sensor's name and its event.
type Row = (String, Event);

/// A file that is being written.
pub(super) struct HourFile {
    writer: SerializedFileWriter<File>,
    waiting: Vec<(String, Event)>,
}

impl HourFile {
    pub(super) fn begin(path: &Path) -> Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let level = ZstdLevel::try_new(3)?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = SerializedFileWriter::new(File::create(path)?, schema, Arc::new(properties))?;
        Ok(Self { writer, waiting: Vec::new() })
    }

    pub(super) fn add(&mut self, events: Vec<(String, Event)>) -> Result<()> {
        self.waiting.extend(events);
        if self.waiting.len() >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    /// Ends the file, which is on the disk then.
    pub(super) fn finish(mut self) -> Result<()> {
        self.write_group()?;
        let file = self.writer.into_inner()?;
        file.sync_all().map_err(ParquetError::from)
    }

    fn write_group(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let texts: [fn(&Row) -> String; 4] = [
            |(_, event)| event.id.clone(),
            |(sensor, _)| sensor.clone(),
            |(_, event)| event.client.ip.to_string(),
            |(_, event)| event.server.ip.to_string(),
        ];
        let names: [fn(&Row) -> &str; 7] = [
            |(_, event)| &event.community_id,
            |(_, event)| {
                event.conclusion.as_ref().map_or(event.verdict.origin, |c| c.origin).name()
            },
            |(_, event)| event.conclusion.as_ref().map_or(event.verdict.cause, |c| c.cause).name(),
            |(_, event)| event.verdict.impact.name(),
            |(_, event)| event.verdict.stage.name(),
            |(_, event)| event.verdict.effect.name(),
            |(_, event)| event.verdict.role.name(),
        ];
        let nanoseconds = |(_, event): &(String, Event)| event.ts.0.cast_signed();
        write::<Int64Type>(&mut group, rows.iter().map(nanoseconds))?;
        for text in texts {
            write::<ByteArrayType>(&mut group, rows.iter().map(|row| bytes(text(row))))?;
        }
        for port in [|event: &Event| event.client.port, |event: &Event| event.server.port] {
            write::<Int32Type>(&mut group, rows.iter().map(|(_, event)| i32::from(port(event))))?;
        }
        for name in names {
            write::<ByteArrayType>(&mut group, rows.iter().map(|row| bytes(name(row))))?;
        }
        for sure in [
            |event: &Event| {
                event
                    .conclusion
                    .as_ref()
                    .map_or(event.verdict.origin_confidence, |c| c.origin_confidence)
            },
            |event: &Event| {
                event
                    .conclusion
                    .as_ref()
                    .map_or(event.verdict.cause_confidence, |c| c.cause_confidence)
            },
        ] {
            write::<DoubleType>(&mut group, rows.iter().map(|(_, event)| sure(event)))?;
        }
        let json: Vec<ByteArray> = rows
            .iter()
            .map(|(_, event)| serde_json::to_vec(event).map(ByteArray::from))
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        write::<ByteArrayType>(&mut group, json.into_iter())?;
        group.close().map(drop)
    }
}

/// The next column of the group.
fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: impl Iterator<Item = T::T>,
) -> Result<()> {
    let values: Vec<T::T> = values.collect();
    let mut column =
        group.next_column()?.ok_or_else(|| ParquetError::General("too few columns".to_owned()))?;
    column.typed::<T>().write_batch(&values, None, None)?;
    column.close()
}

fn bytes(text: impl Into<Vec<u8>>) -> ByteArray {
    ByteArray::from(text.into())
}

/// The columns, in the order in which they are written.
const SCHEMA: &str = "message event {
    REQUIRED INT64 ts (TIMESTAMP(NANOS, true));
    REQUIRED BINARY id (UTF8);
    REQUIRED BINARY sensor (UTF8);
    REQUIRED BINARY client_ip (UTF8);
    REQUIRED BINARY server_ip (UTF8);
    REQUIRED INT32 client_port;
    REQUIRED INT32 server_port;
    REQUIRED BINARY community_id (UTF8);
    REQUIRED BINARY origin (UTF8);
    REQUIRED BINARY cause (UTF8);
    REQUIRED BINARY impact (UTF8);
    REQUIRED BINARY stage (UTF8);
    REQUIRED BINARY effect (UTF8);
    REQUIRED BINARY role (UTF8);
    REQUIRED DOUBLE origin_confidence;
    REQUIRED DOUBLE cause_confidence;
    REQUIRED BINARY json (UTF8);
}";
/// Rows that are held before they are written.
const GROUP_ROWS: usize = 50_000;
