package javax.activation;

/** Stands in for a type that left the JDK and that PDFBox Preflight reads its file through. */
public interface DataSource {
    java.io.InputStream getInputStream() throws java.io.IOException;

    String getName();
}
