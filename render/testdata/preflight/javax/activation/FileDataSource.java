package javax.activation;

/** A file, as PDFBox Preflight opens it. */
public class FileDataSource implements DataSource {
    private final java.io.File file;

    public FileDataSource(java.io.File file) {
        this.file = file;
    }

    @Override
    public java.io.InputStream getInputStream() throws java.io.IOException {
        return new java.io.FileInputStream(file);
    }

    @Override
    public String getName() {
        return file.getName();
    }
}
